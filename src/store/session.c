/*-------------------------------------------------------------------------
 *
 * store/session.c
 *	  The store is opened and closed.
 *
 * In between, what it does happens as the owner of its tables.  Invariants: the end of a
 * transaction or a subtransaction has closed all that began in it; the store is closed in
 * the subtransaction in which it was opened; no statement of one session runs within
 * another of it, since triggers that call us open a session of their own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/fmgrprotos.h"

#include "server/identity.h"
#include "store/internal.h"

/*
 * From rsn_store_begin to rsn_store_end.  They nest where triggers of others, which
 * fire for our writes, call our functions.
 */
typedef struct Session
{
	SubTransactionId subid;		/* in which it began, and with which it ends */
	MemoryContext result_context;	/* the caller's */
	RsnIdentity caller;
	bool		is_connected;	/* to SPI, since the first statement */
	const RsnStatement *running;	/* a statement of ours, or NULL */
	int			trigger_depth;	/* of the caller */
} Session;

static Session sessions[RSN_STORE_DEPTH_MAX];
static int	depth = 0;
static Session *session = NULL;

static void
use_session(int new_depth)
{
	Assert(new_depth >= 0 && new_depth <= RSN_STORE_DEPTH_MAX);
	depth = new_depth;
	session = depth > 0 ? &sessions[depth - 1] : NULL;
	rsn_table_use(depth);
}

/* How many triggers are being executed, one within the other. */
static int
trigger_depth(void)
{
	return DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, (Datum) 0));
}

/*
 * Opens the store and acts as the owner of its tables; what it returns is allocated
 * in the current context.
 */
void
rsn_store_begin(void)
{
	if (depth == RSN_STORE_DEPTH_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
				 errmsg("triggers on the tables of resonate call its functions too deeply"),
				 errdetail("The limit is %d.", RSN_STORE_DEPTH_MAX)));
	Assert(IsTransactionState());
	Assert(session == NULL || session->subid <= GetCurrentSubTransactionId());
	memset(&sessions[depth], 0, sizeof(Session));
	sessions[depth].subid = GetCurrentSubTransactionId();
	sessions[depth].result_context = CurrentMemoryContext;
	sessions[depth].caller = rsn_identity_assume();
	sessions[depth].trigger_depth = trigger_depth();
	use_session(depth + 1);
	rsn_table_begin();
}

/* Connects to SPI for the first statement, since most operations need none. */
void
rsn_store_connect(void)
{
	int			result;

	Assert(session != NULL);
	if (session->is_connected)
		return;
	result = SPI_connect();
	if (result != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed: %s", SPI_result_code_string(result));
	session->is_connected = true;
}

/* Closes the store. */
void
rsn_store_end(void)
{
	MemoryContext caller = CurrentMemoryContext;

	Assert(session != NULL && session->running == NULL);
	Assert(session->subid == GetCurrentSubTransactionId());
	rsn_table_end();
	if (session->is_connected && SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	MemoryContextSwitchTo(caller);
	rsn_identity_restore(&session->caller);
	use_session(depth - 1);
}

/* An error has ended what was open. */
static void
xact_callback(XactEvent event, void *arg)
{
	Assert(event != XACT_EVENT_COMMIT || depth == 0);
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT)
		use_session(0);
}

/* The same where somebody catches it: all that began in there has ended. */
static void
subxact_callback(SubXactEvent event, SubTransactionId my_id,
				 SubTransactionId parent_id, void *arg)
{
	int			remaining = depth;

	Assert(event != SUBXACT_EVENT_COMMIT_SUB || depth == 0 ||
		   sessions[depth - 1].subid < my_id);
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	while (remaining > 0 && sessions[remaining - 1].subid >= my_id)
		remaining--;
	use_session(remaining);
}

/* Registers the callbacks, once for the life of the backend. */
void
rsn_store_init(void)
{
	RegisterXactCallback(xact_callback, NULL);
	RegisterSubXactCallback(subxact_callback, NULL);
	rsn_store_planner_init();
}

/*
 * True when the trigger that runs was fired by a write of the store itself, and not
 * by that of a trigger of others in between.
 */
bool
rsn_store_is_running(void)
{
	return session != NULL && session->running != NULL &&
		trigger_depth() == session->trigger_depth + 1;
}

/* The statement that runs, if it is one to be planned once; else NULL. */
const RsnStatement *
rsn_store_planned_once(void)
{
	if (session == NULL || session->running == NULL ||
		session->running->cursor_options != CURSOR_OPT_GENERIC_PLAN)
		return NULL;
	return session->running;
}

/* Memory in the context of the caller of rsn_store_begin. */
void *
rsn_store_alloc(Size size)
{
	Assert(session != NULL);
	return MemoryContextAllocExtended(session->result_context, size,
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/* The context of the caller of rsn_store_begin. */
MemoryContext
rsn_store_result_context(void)
{
	Assert(session != NULL);
	return session->result_context;
}

/*
 * Notes which statement of the store runs; NULL: none, or none any longer, also where one
 * has failed and the transaction goes on.
 */
void
rsn_store_set_running(const RsnStatement *statement)
{
	Assert(session != NULL);
	Assert(statement == NULL || session->running == NULL);
	session->running = statement;
}
