/*-------------------------------------------------------------------------
 *
 * server/guc.c
 *	  Configuration parameters, in alphabetical order.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "server/compat.h"
#include "server/guc.h"

int			rsn_guc_branch_bytes = 4 * 1024 * 1024;
int			rsn_guc_branch_limit = 100;
bool		rsn_guc_debug = false;
int			rsn_guc_delivered_retention_s = 60 * 60;
int			rsn_guc_default_timeout_ms = 24 * 60 * 60 * 1000;
int			rsn_guc_delivery_batch_size = 1000;
int			rsn_guc_notify_payload = RSN_NOTIFY_STATE;
int			rsn_guc_page_bytes = 16 * 1024 * 1024;
int			rsn_guc_profile = RSN_PROFILE_SDK;
int			rsn_guc_prune_batch_size = 1000;
int			rsn_guc_retention_s = 7 * 24 * 60 * 60;
double		rsn_guc_retry_backoff = 2.0;
int			rsn_guc_retry_interval_ms = 5000;
int			rsn_guc_retry_timeout_ms = 5000;
int			rsn_guc_retry_timeout_max_ms = 300000;
int			rsn_guc_schedule_batch_size = 1000;
int			rsn_guc_schedule_grace_ms = 60000;
int			rsn_guc_sweep_batch_size = 1000;
int64		rsn_guc_test_clock_ms = -1;
int			rsn_guc_undelivered_retention_s = 24 * 60 * 60;
int			rsn_guc_visibility_timeout_ms = 30000;
bool		rsn_guc_worker = true;
bool		rsn_guc_worker_configured = true;

static char *test_clock_text = NULL;

static const struct config_enum_entry notify_payload_options[] = {
	{"state", RSN_NOTIFY_STATE, false},
	{"record", RSN_NOTIFY_RECORD, false},
	{NULL, 0, false}
};

static const struct config_enum_entry profile_options[] = {
	{"sdk", RSN_PROFILE_SDK, false},
	{"strict", RSN_PROFILE_STRICT, false},
	{NULL, 0, false}
};

/*
 * Accepts an empty string or milliseconds since the epoch.  A number, not a
 * timestamp: its meaning must not depend on DateStyle or TimeZone.
 */
static bool
check_test_clock(char **newval, void **extra, GucSource source)
{
	int64		now_ms = -1;
	int64	   *result;
	char	   *end;

	if (*newval != NULL && **newval != '\0')
	{
		errno = 0;
		now_ms = strtoi64(*newval, &end, 10);
		if (errno != 0 || *end != '\0' || now_ms < 0)
		{
			GUC_check_errdetail("The test clock is a number of milliseconds since the Unix epoch.");
			return false;
		}
	}

	result = rsn_guc_malloc(sizeof(int64));
	if (result == NULL)
		return false;
	*result = now_ms;
	*extra = result;
	return true;
}

static void
assign_test_clock(const char *newval, void *extra)
{
	rsn_guc_test_clock_ms = *(int64 *) extra;
}

/*
 * Notes what the configuration says, whatever the database or the role has set
 * for its sessions.
 */
static bool
check_worker(bool *newval, void **extra, GucSource source)
{
	if (source <= PGC_S_ARGV)
		rsn_guc_worker_configured = *newval;
	return true;
}

static void
define_batch_size(const char *name, const char *description, int *variable)
{
	DefineCustomIntVariable(name, description,
							"A larger batch is more efficient, a smaller one holds its locks for a shorter time.",
							variable, 1000, 1, 100000,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
}

/* Registers every parameter; longer than a screen because it is data. */
void
rsn_guc_init(void)
{
	DefineCustomIntVariable("resonate.branch_bytes",
							"Sets how many bytes of promises of its branch are sent along with a task.",
							"What does not fit is left out.",
							&rsn_guc_branch_bytes, 4 * 1024 * 1024, 0, RSN_BRANCH_BYTES_MAX,
							PGC_USERSET, GUC_UNIT_BYTE, NULL, NULL, NULL);

	DefineCustomIntVariable("resonate.branch_limit",
							"Sets how many promises of its branch are sent along with a task.",
							NULL,
							&rsn_guc_branch_limit, 100, 0, 10000,
							PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomBoolVariable("resonate.debug",
							 "Allows the test clock to replace the time of day.",
							 "For tests only: with it, whoever sets resonate.test_clock decides which deadlines have passed.",
							 &rsn_guc_debug, false,
							 PGC_SUSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("resonate.default_timeout",
							"Sets the timeout of a promise that is created without one.",
							NULL,
							&rsn_guc_default_timeout_ms, 24 * 60 * 60 * 1000,
							0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);

	DefineCustomIntVariable("resonate.delivered_retention",
							"Sets how long the message of a listener that was dequeued once is kept for a second time.",
							"Counted from when it can be dequeued again.  -1 keeps it for as long as its promise.",
							&rsn_guc_delivered_retention_s, 60 * 60, -1, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);

	define_batch_size("resonate.delivery_batch_size",
					  "Sets how many messages one transaction of the worker delivers.",
					  &rsn_guc_delivery_batch_size);

	DefineCustomEnumVariable("resonate.notify_payload",
							 "Sets what a notification contains.",
							 "NOTIFY is readable by every role that can connect, so \"state\" names the promise and its state only; \"record\" adds the value where it fits.",
							 &rsn_guc_notify_payload, RSN_NOTIFY_STATE,
							 notify_payload_options,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("resonate.page_bytes",
							"Sets how many bytes of promises, messages or schedules one call returns.",
							"What does not fit is left for the next page or call; one row is returned however large it is.",
							&rsn_guc_page_bytes, 16 * 1024 * 1024, 1, RSN_PAGE_BYTES_MAX,
							PGC_USERSET, GUC_UNIT_BYTE, NULL, NULL, NULL);

	DefineCustomEnumVariable("resonate.profile",
							 "Sets how close to the letter the wire protocol is served.",
							 "With \"strict\" it is the specification.  With \"sdk\" what the SDKs send beyond it works as they expect it, see docs/conformance.md.",
							 &rsn_guc_profile, RSN_PROFILE_SDK,
							 profile_options,
							 PGC_SUSET, 0, NULL, NULL, NULL);

	define_batch_size("resonate.prune_batch_size",
					  "Sets how many settled promises one transaction of the worker deletes.",
					  &rsn_guc_prune_batch_size);

	DefineCustomIntVariable("resonate.retention",
							"Sets how long a settled promise is kept.",
							"An id is idempotent only while its row exists.  -1 keeps all for ever.",
							&rsn_guc_retention_s, 7 * 24 * 60 * 60, -1, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);

	DefineCustomRealVariable("resonate.retry_backoff",
							 "Sets by what the wait grows each time a task is released or its lease ends again.",
							 "Also each time that nobody takes a task which the worker offers with NOTIFY.  1 keeps it at resonate.retry_timeout.",
							 &rsn_guc_retry_backoff, 2.0, 1.0, 100.0,
							 PGC_SUSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("resonate.retry_interval",
							"Sets the time before failed background work is tried again.",
							"It doubles with each failure that follows, up to a minute.",
							&rsn_guc_retry_interval_ms, 5000, 1, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);

	DefineCustomIntVariable("resonate.retry_timeout",
							"Sets the time after which a task that was offered and not acquired is offered again.",
							"Also how long a task waits that is released, or whose lease ends, for the second time without progress.",
							&rsn_guc_retry_timeout_ms, 5000, 1, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);

	DefineCustomIntVariable("resonate.retry_timeout_max",
							"Sets the longest time that a task waits to be offered again.",
							NULL,
							&rsn_guc_retry_timeout_max_ms, 300000, 1, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);

	define_batch_size("resonate.schedule_batch_size",
					  "Sets how many occurrences of schedules one transaction fires.",
					  &rsn_guc_schedule_batch_size);

	DefineCustomIntVariable("resonate.schedule_grace",
							"Sets how late an occurrence of a schedule that does not catch up may be fired.",
							NULL,
							&rsn_guc_schedule_grace_ms, 60000, 0, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);

	define_batch_size("resonate.sweep_batch_size",
					  "Sets how many promises one transaction of the worker times out.",
					  &rsn_guc_sweep_batch_size);

	DefineCustomStringVariable("resonate.test_clock",
							   "Sets the instant that the functions of this session take for now.",
							   "Milliseconds since the Unix epoch; empty is the time of day.  Ignored unless resonate.debug is on.",
							   &test_clock_text, "",
							   PGC_SUSET, GUC_NOT_IN_SAMPLE,
							   check_test_clock, assign_test_clock, NULL);

	DefineCustomIntVariable("resonate.undelivered_retention",
							"Sets how long a message that is not sent with NOTIFY waits for somebody who takes it.",
							"Counted from when it can be taken.  -1 keeps it for as long as its promise.",
							&rsn_guc_undelivered_retention_s, 24 * 60 * 60, -1,
							INT_MAX, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);

	DefineCustomIntVariable("resonate.visibility_timeout",
							"Sets the time after which a received message that was not acknowledged comes back.",
							NULL,
							&rsn_guc_visibility_timeout_ms, 30000, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);

	DefineCustomBoolVariable("resonate.worker",
							 "Lets the background worker of the database run.",
							 "Off keeps it still.  ALTER DATABASE goes before ALTER ROLE ALL, and both before the configuration; a role or a session cannot set it.",
							 &rsn_guc_worker, true,
							 PGC_SUSET, 0, check_worker, NULL, NULL);

	MarkGUCPrefixReserved("resonate");
}
