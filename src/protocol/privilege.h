/*-------------------------------------------------------------------------
 *
 * protocol/privilege.h
 *	  What the caller may do.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_PROTOCOL_PRIVILEGE_H
#define RSN_PROTOCOL_PRIVILEGE_H

extern bool rsn_privilege_may_call(const char *function);

#endif							/* RSN_PROTOCOL_PRIVILEGE_H */
