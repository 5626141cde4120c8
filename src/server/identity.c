/*-------------------------------------------------------------------------
 *
 * server/identity.c
 *	  The role that the extension reads and writes as: the owner of its tables.
 *
 * What others put on the tables, triggers above all, runs as the current user, and
 * that must be neither the caller, whose rights are none of their business, nor a
 * superuser, which the worker connects as.  So the store and each transaction of the
 * worker act as the owner of resonate.promises: resonate_owner, which has no right
 * but to the tables.  SECURITY DEFINER says the same of the functions; it is said
 * here again, because an owner can change that of a function, and because no
 * function is called in the worker.
 *
 * SECURITY_LOCAL_USERID_CHANGE keeps a function that runs meanwhile from becoming
 * another user (SET ROLE, SET SESSION AUTHORIZATION).  The end of a transaction or
 * subtransaction that fails restores the user that it began with (xact.c).
 *
 * Deferred triggers run at the commit, when we are gone: as the role that the worker's
 * transaction is, but in a session as the user that commits, until 18, which remembers
 * the user that has made them run.  Triggers of others can write to tables of others
 * that have such triggers, so in the session of a superuser none may be queued while
 * we write (SECURITY_RESTRICTED_OPERATION, which refuses them).  A user that is no
 * superuser has no rights that endanger the server, and keeps deferred foreign keys.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "server/compat.h"
#include "server/identity.h"

/* Of resonate.promises; invalid where there is no such table. */
static Oid	owner_id = InvalidOid;
static bool is_owner_known = false;

/* True in a transaction that is the owner's to its end. */
static bool is_owners_transaction = false;

static void
forget_owner(Datum arg, int cache_id, uint32 hash_value)
{
	is_owner_known = false;
}

static Oid
look_owner_up(void)
{
	Oid			schema_id = get_namespace_oid("resonate", true);
	Oid			table_id = OidIsValid(schema_id)
		? get_relname_relid("promises", schema_id) : InvalidOid;
	HeapTuple	tuple = OidIsValid(table_id)
		? SearchSysCache1(RELOID, ObjectIdGetDatum(table_id)) : NULL;
	Oid			result = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		result = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
	}
	return result;
}

/* The owner of the tables, or InvalidOid. */
static Oid
find_owner(void)
{
	static bool is_registered = false;

	if (!is_registered)
	{
		CacheRegisterSyscacheCallback(RELOID, forget_owner, (Datum) 0);
		CacheRegisterSyscacheCallback(NAMESPACEOID, forget_owner, (Datum) 0);
		is_registered = true;
	}
	if (!is_owner_known)
	{
		/* First, for what makes it invalid while we look. */
		is_owner_known = true;
		owner_id = look_owner_up();
	}
	return owner_id;
}

/* True if who runs after us may be a superuser, or can become one (RESET). */
static bool
is_superusers_session(void)
{
	return superuser_arg(GetAuthenticatedUserId()) ||
		superuser_arg(GetSessionUserId()) || superuser_arg(GetOuterUserId());
}

/* What the security context has to have while we act as the owner. */
static int
needed_context(void)
{
	if (RSN_DEFERRED_TRIGGERS_KEEP_USER || is_owners_transaction ||
		!is_superusers_session())
		return SECURITY_LOCAL_USERID_CHANGE;
	return SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION;
}

/*
 * Has this session act as the owner of the tables, until rsn_identity_restore() is
 * given what is returned.  Where there are no tables, nothing changes.
 */
RsnIdentity
rsn_identity_assume(void)
{
	RsnIdentity before = {0};
	Oid			owner = find_owner();
	int			needed = needed_context();

	GetUserIdAndSecContext(&before.user_id, &before.sec_context);
	before.is_changed = OidIsValid(owner) &&
		(owner != before.user_id ||
		 (before.sec_context & needed) != needed);
	if (before.is_changed)
		SetUserIdAndSecContext(owner, before.sec_context | needed);
	return before;
}

/* Has this session act as who it was. */
void
rsn_identity_restore(const RsnIdentity *before)
{
	if (before->is_changed)
		SetUserIdAndSecContext(before->user_id, before->sec_context);
}

/* Has a transaction of a background process, its commit included, be the owner's. */
void
rsn_identity_assume_transaction(void)
{
	is_owners_transaction = true;
	(void) rsn_identity_assume();
}

/*
 * Makes a background process, between two transactions, the superuser as whom it
 * has connected.
 */
void
rsn_identity_reset(void)
{
	is_owners_transaction = false;
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, 0);
}
