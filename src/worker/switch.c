/*-------------------------------------------------------------------------
 *
 * worker/switch.c
 *	  Whether the worker of a database may run: resonate.worker.
 *
 * A session takes its settings when it begins, and nobody is told of ALTER DATABASE.
 * So what is set for the database, or else for all, is read where it is stored,
 * and where neither says anything, the configuration decides.  What is set for a
 * role is for its sessions, and no concern of the worker.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_db_role_setting.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/rel.h"

#include "server/guc.h"
#include "worker/switch.h"

/* The value of our parameter in a list of "name=value"; false if it is not there. */
static bool
find_value(ArrayType *settings, bool *is_on)
{
	Datum	   *elements;
	int			n;
	bool		is_found = false;

	deconstruct_array(settings, TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, NULL, &n);
	for (int i = 0; i < n; i++)
	{
		char	   *setting = TextDatumGetCString(elements[i]);
		char	   *value = strchr(setting, '=');

		if (value == NULL)
			continue;
		*value++ = '\0';
		if (pg_strcasecmp(setting, "resonate.worker") == 0)
			is_found = parse_bool(value, is_on);
	}
	return is_found;
}

/* The same of what is set for a database, or for all if that is invalid. */
static bool
find_setting(Relation relation, Oid database_id, bool *is_on)
{
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		is_found = false;

	Assert(RelationGetRelid(relation) == DbRoleSettingRelationId);
	ScanKeyInit(&keys[0], Anum_pg_db_role_setting_setdatabase,
				BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(database_id));
	ScanKeyInit(&keys[1], Anum_pg_db_role_setting_setrole,
				BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(InvalidOid));
	scan = systable_beginscan(relation, DbRoleSettingDatidRolidIndexId, true,
							  NULL, 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		is_null;
		Datum		settings = heap_getattr(tuple,
											Anum_pg_db_role_setting_setconfig,
											RelationGetDescr(relation),
											&is_null);

		if (!is_null)
			is_found = find_value(DatumGetArrayTypeP(settings), is_on);
	}
	systable_endscan(scan);
	return is_found;
}

/* True when the worker of this database may run; to be called in a transaction. */
bool
rsn_switch_is_on(void)
{
	Relation	relation = table_open(DbRoleSettingRelationId, AccessShareLock);
	bool		is_on;

	if (!find_setting(relation, MyDatabaseId, &is_on) &&
		!find_setting(relation, InvalidOid, &is_on))
		is_on = rsn_guc_worker_configured;
	table_close(relation, AccessShareLock);
	return is_on;
}
