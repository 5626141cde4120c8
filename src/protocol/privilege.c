/*-------------------------------------------------------------------------
 *
 * protocol/privilege.c
 *	  What the caller may do: whatever the typed functions allow.
 *
 * A request of the wire protocol is refused to a role that may not call the function that
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
#include "utils/inval.h"
#include "utils/syscache.h"

#include "protocol/privilege.h"
#include "server/compat.h"

/* What was found to be allowed, until anything changes that this depends on. */
typedef struct Allowed
{
	const char *function;
	Oid			user_id;
} Allowed;

#define ALLOWED_MAX	32

static Allowed allowed[ALLOWED_MAX];
static int	nallowed = 0;

/* Counts the changes. */
static uint64 nchanges = 0;

static void
forget_allowed(Datum arg, int cache_id, uint32 hash_value)
{
	nallowed = 0;
	nchanges++;
}

static void
watch_changes(void)
{
	static const int caches[] = {
		PROCOID, NAMESPACEOID, AUTHMEMROLEMEM, AUTHOID, DATABASEOID
	};
	static bool is_registered = false;

	for (int i = 0; i < (int) lengthof(caches) && !is_registered; i++)
		CacheRegisterSyscacheCallback(caches[i], forget_allowed, (Datum) 0);
	is_registered = true;
}

static bool
is_known_to_be_allowed(const char *function)
{
	for (int i = 0; i < nallowed; i++)
	{
		if (allowed[i].user_id == GetUserId() &&
			strcmp(allowed[i].function, function) == 0)
			return true;
	}
	return false;
}

static void
keep_allowed(const char *function)
{
	if (nallowed == ALLOWED_MAX)
		nallowed = 0;
	allowed[nallowed].function = function;
	allowed[nallowed++].user_id = GetUserId();
}

static bool
look_up(const char *function)
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

/*
 * True if the current user has EXECUTE on the function resonate.<function>, a
 * literal.
 */
bool
rsn_privilege_may_call(const char *function)
{
	uint64		nchanges_before;

	if (is_known_to_be_allowed(function))
		return true;
	watch_changes();
	nchanges_before = nchanges;
	if (!look_up(function))
		return false;
	if (nchanges == nchanges_before)
		keep_allowed(function);
	return true;
}
