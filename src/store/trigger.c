/*-------------------------------------------------------------------------
 *
 * store/trigger.c
 *	  Whether our triggers were switched off and on again.
 *
 * Rows that come past our functions are noticed by triggers.  pg_restore
 * --disable-triggers switches these off, fills the tables, and switches them on.
 * What tells of that is the catalog: such a change invalidates what is cached of the
 * table, and leaves the rows of its triggers in new versions.  Whatever else
 * invalidates it, as ANALYZE does, does not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "common/hashfn.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

#include "store/store.h"

static const char *const watched[] = {
	"promises", "tasks", "callbacks", "awaiters", "messages", "schedules"
};

static Oid	watched_ids[lengthof(watched)];
static uint64 versions[lengthof(watched)];
static bool has_changed[lengthof(watched)];
static bool is_watching = false;

static void
relcache_callback(Datum arg, Oid relation_id)
{
	for (int i = 0; i < (int) lengthof(watched); i++)
	{
		if (!OidIsValid(relation_id) || relation_id == watched_ids[i])
			has_changed[i] = true;
	}
}

/* Identifies the versions of the triggers of a table. */
static uint64
trigger_versions(Oid relation_id)
{
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	uint64		result = 0;

	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relation_id));
	scan = systable_beginscan(triggers, TriggerRelidNameIndexId, true, NULL, 1,
							  &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		result = hash_combine64(result,
								hash_uint32_extended(HeapTupleHeaderGetRawXmin(tuple->t_data),
													 ((Form_pg_trigger) GETSTRUCT(tuple))->oid));
	systable_endscan(scan);
	table_close(triggers, AccessShareLock);
	return result;
}

/* Notes the present state of one table; true when its triggers were changed. */
static bool
look_at(int i)
{
	uint64		before = versions[i];

	has_changed[i] = false;
	watched_ids[i] = get_relname_relid(watched[i],
									   get_namespace_oid("resonate", true));
	versions[i] = OidIsValid(watched_ids[i]) ? trigger_versions(watched_ids[i])
		: 0;
	return versions[i] != before;
}

/*
 * True when triggers of our tables were changed since the last call in this process,
 * so that rows can have come that nobody was told of.
 */
bool
rsn_store_are_triggers_changed(void)
{
	bool		result = false;

	Assert(IsTransactionState());
	if (!is_watching)
	{
		CacheRegisterRelcacheCallback(relcache_callback, (Datum) 0);
		for (int i = 0; i < (int) lengthof(watched); i++)
			(void) look_at(i);
		is_watching = true;
		return false;
	}
	for (int i = 0; i < (int) lengthof(watched); i++)
	{
		if (has_changed[i])
			result |= look_at(i);
	}
	return result;
}
