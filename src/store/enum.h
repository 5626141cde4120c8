/*-------------------------------------------------------------------------
 *
 * store/enum.h
 *	  The labels of our enumerated types; private to store/.
 *
 * A number is that of the enum in C, whose order is that of the labels.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_STORE_ENUM_H
#define RSN_STORE_ENUM_H

typedef enum RsnEnum
{
	RSN_ENUM_PROMISE_STATE,
	RSN_ENUM_TASK_STATE,
	RSN_ENUM_CATCH_UP
} RsnEnum;

#define RSN_NENUMS (RSN_ENUM_CATCH_UP + 1)

extern int	rsn_enum_index(RsnEnum kind, Oid value);
extern Oid	rsn_enum_value(RsnEnum kind, Oid type, int index);

#endif							/* RSN_STORE_ENUM_H */
