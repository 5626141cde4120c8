/*-------------------------------------------------------------------------
 *
 * privilege.c
 *	  What the caller may do: whatever the typed functions allow.
 *
 * A request of the wire protocol is refused to whom the function is refused that
 * does the same.  The caller is the current user, so SET ROLE, a view, a
 * materialized view that somebody else refreshes and a function with SECURITY
 * DEFINER mean what they mean for any function.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "utils/catcache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "privilege.h"

/* True if the current user has EXECUTE on the function resonate.<function>. */
bool
rsn_privilege_may_call(const char *function)
{
	Oid			schema_id = get_namespace_oid("resonate", false);
	CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP,
										   CStringGetDatum(function));
	bool		may_call = false;

	for (int i = 0; i < list->n_members && !may_call; i++)
	{
		Form_pg_proc form =
		(Form_pg_proc) GETSTRUCT(&list->members[i]->tuple);

		may_call = form->pronamespace == schema_id &&
			rsn_function_aclcheck(form->oid, GetUserId()) == ACLCHECK_OK;
	}
	ReleaseCatCacheList(list);
	return may_call;
}
