/*-------------------------------------------------------------------------
 *
 * server/identity.h
 *	  The role that the extension reads and writes as.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_SERVER_IDENTITY_H
#define RSN_SERVER_IDENTITY_H

/* Who the session was before. */
typedef struct RsnIdentity
{
	bool		is_changed;
	Oid			user_id;
	int			sec_context;
} RsnIdentity;

extern RsnIdentity rsn_identity_assume(void);
extern void rsn_identity_restore(const RsnIdentity *before);
extern void rsn_identity_assume_transaction(void);
extern void rsn_identity_reset(void);

#endif							/* RSN_SERVER_IDENTITY_H */
