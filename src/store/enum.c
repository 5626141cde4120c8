/*-------------------------------------------------------------------------
 *
 * store/enum.c
 *	  The labels of our enumerated types, as they are stored and in C.
 *
 * A stored value is the OID of a row of pg_enum.  Those of the type that was
 * met last are kept; DROP EXTENSION and CREATE EXTENSION make a new type.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_enum.h"
#include "utils/syscache.h"

#include "store/enum.h"
#include "store/store.h"

/* Tasks that are stored are not fulfilled, which is the last state. */
#define NTASK_LABELS	RSN_TASK_FULFILLED
#define NLABELS_MAX		RSN_PROMISE_NSTATES

StaticAssertDecl(NTASK_LABELS <= NLABELS_MAX &&
				 RSN_NCATCH_UPS <= NLABELS_MAX, "all labels have room");

typedef struct EnumLabels
{
	Oid			type;
	Oid			values[NLABELS_MAX];
} EnumLabels;

static EnumLabels known[RSN_NENUMS];

static int
count_labels(RsnEnum kind)
{
	static const int counts[RSN_NENUMS] = {
		[RSN_ENUM_PROMISE_STATE] = RSN_PROMISE_NSTATES,
		[RSN_ENUM_TASK_STATE] = NTASK_LABELS,
		[RSN_ENUM_CATCH_UP] = RSN_NCATCH_UPS
	};

	return counts[kind];
}

static const char *
label_name(RsnEnum kind, int index)
{
	Assert(index >= 0 && index < count_labels(kind));
	switch (kind)
	{
		case RSN_ENUM_PROMISE_STATE:
			return rsn_promise_state_name((RsnPromiseState) index);
		case RSN_ENUM_TASK_STATE:
			return rsn_task_state_name((RsnTaskState) index);
		case RSN_ENUM_CATCH_UP:
			break;
	}
	return rsn_catch_up_name((RsnCatchUp) index);
}

static Oid
look_label_up(Oid type, const char *name)
{
	HeapTuple	tuple = SearchSysCache2(ENUMTYPOIDNAME, ObjectIdGetDatum(type),
										CStringGetDatum(name));
	Oid			value;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "type %u has no label \"%s\"", type, name);
	value = ((Form_pg_enum) GETSTRUCT(tuple))->oid;
	ReleaseSysCache(tuple);
	return value;
}

static void
learn_labels(RsnEnum kind, Oid type)
{
	EnumLabels	labels = {0};

	labels.type = type;
	for (int i = 0; i < count_labels(kind); i++)
		labels.values[i] = look_label_up(type, label_name(kind, i));
	known[kind] = labels;
}

/* The type that a stored value belongs to. */
static Oid
type_of_value(Oid value)
{
	HeapTuple	tuple = SearchSysCache1(ENUMOID, ObjectIdGetDatum(value));
	Oid			type;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("invalid internal value for enum: %u", value)));
	type = ((Form_pg_enum) GETSTRUCT(tuple))->enumtypid;
	ReleaseSysCache(tuple);
	return type;
}

/* The number of a stored value, which is that of the enum in C. */
int
rsn_enum_index(RsnEnum kind, Oid value)
{
	for (int attempt = 0; attempt < 2; attempt++)
	{
		for (int i = 0; i < count_labels(kind); i++)
		{
			if (known[kind].values[i] == value)
				return i;
		}
		learn_labels(kind, type_of_value(value));
	}
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("unrecognized value for enum: %u", value)));
	return -1;
}

/* How a number is stored in a column of that type. */
Oid
rsn_enum_value(RsnEnum kind, Oid type, int index)
{
	Assert(OidIsValid(type));
	Assert(index >= 0 && index < count_labels(kind));
	if (known[kind].type != type)
		learn_labels(kind, type);
	return known[kind].values[index];
}
