/*-------------------------------------------------------------------------
 *
 * worker/settings.c
 *	  What the worker and the launcher do not take from the configuration.
 *
 * Settings for a database, for a role, for everybody: all are made for sessions,
 * and one that suits these can end background work for good.  A database may
 * be read-only by default, or belong to a role that has no access to our tables.
 * So what background work depends on is fixed here, as autovacuum does it, and
 * neither a reload nor a later ALTER DATABASE changes it.
 *
 * Nor does a cancel request for a process that does nothing: only what runs can be
 * cancelled.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "server/identity.h"
#include "worker/settings.h"

typedef struct Setting
{
	const char *name;
	const char *value;
} Setting;

static const Setting pinned[] = {
	/* Who we are, and what we may. */
	{"role", "none"},
	{"row_security", "off"},
	{"session_replication_role", "origin"},
	{"search_path", "pg_catalog, pg_temp"},
	{"zero_damaged_pages", "off"},

	/* What fails is dealt with here. */
	{"exit_on_error", "off"},

	/* Our transactions are short, write, and see what others have committed. */
	{"default_transaction_isolation", "read committed"},
	{"default_transaction_read_only", "off"},
	{"default_transaction_deferrable", "off"},
	{"statement_timeout", "0"},
	{"lock_timeout", RSN_LOCK_TIMEOUT},
	{"idle_in_transaction_session_timeout", "0"},
#if PG_VERSION_NUM >= 170000
	{"transaction_timeout", "0"},
#endif

	/* Each statement has an index to go by. */
	{"enable_indexscan", "on"},
	{"enable_indexonlyscan", "on"},
	{"enable_bitmapscan", "on"},
	{"enable_tidscan", "on"},
	{"enable_nestloop", "on"},
	{"enable_sort", "on"},
	{"plan_cache_mode", "auto"},
	{"max_parallel_workers_per_gather", "0"},
	{"jit", "off"}
};

/*
 * The clock for tests is that of the session that sets it.  Only the configuration
 * file sets ours; what it says is known before the database adds what it has set
 * for its sessions.
 */
static struct
{
	const char *name;
	char	   *configured;
}			clock_settings[] = {
	{"resonate.debug", NULL},
	{"resonate.test_clock", NULL}
};

static void
pin(const char *name, const char *value)
{
	SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

/* Pins the clock, if the database has set another one than the configuration file. */
static void
pin_clock(void)
{
	static bool is_first = true;
	static bool is_foreign = false;

	Assert(clock_settings[lengthof(clock_settings) - 1].configured != NULL);
	for (int i = 0; is_first && i < (int) lengthof(clock_settings); i++)
		is_foreign |= strcmp(clock_settings[i].configured,
							 GetConfigOption(clock_settings[i].name, false,
											 false)) != 0;
	is_first = false;
	for (int i = 0; is_foreign && i < (int) lengthof(clock_settings); i++)
		pin(clock_settings[i].name, clock_settings[i].configured);
}

/*
 * Fixes the settings; to be called at the start and after each reload.  A commit
 * waits for the disk at most: to wait for a standby that is gone would end all
 * background work, and what it does follows from what is stored, so it is done
 * again after a failover.
 */
void
rsn_settings_pin(void)
{
	for (int i = 0; i < (int) lengthof(pinned); i++)
		pin(pinned[i].name, pinned[i].value);
	pin_clock();
	if (synchronous_commit > SYNCHRONOUS_COMMIT_LOCAL_FLUSH)
		pin("synchronous_commit", "local");

	/* What session_authorization of the database may have made of us. */
	rsn_identity_reset();
}

static volatile sig_atomic_t may_cancel = false;

/* A request to cancel, or a timeout while we wait for a lock (postgres.c). */
static void
handle_cancel(SIGNAL_ARGS)
{
	int			save_errno = errno;

	if (may_cancel && !proc_exit_inprogress)
	{
		InterruptPending = true;
		QueryCancelPending = true;
		SetLatch(MyLatch);
	}
	errno = save_errno;
}

/* From now on a cancel request is an error. */
void
rsn_settings_allow_cancel(void)
{
	Assert(!may_cancel && !IsTransactionState());
	may_cancel = true;
}

/* From now on a cancel request does nothing, nor does one that has come already. */
void
rsn_settings_ignore_cancel(void)
{
	may_cancel = false;
	QueryCancelPending = false;
}

/* Registers the handler; cancel requests are ignored until they are allowed. */
void
rsn_settings_init(void)
{
	for (int i = 0; i < (int) lengthof(clock_settings); i++)
		clock_settings[i].configured =
			MemoryContextStrdup(TopMemoryContext,
								GetConfigOption(clock_settings[i].name, false,
												false));
	pqsignal(SIGINT, handle_cancel);
}
