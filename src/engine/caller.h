/*-------------------------------------------------------------------------
 *
 * engine/caller.h
 *	  For which process this session speaks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_ENGINE_CALLER_H
#define RSN_ENGINE_CALLER_H

extern void rsn_caller_note(const text *pid);
extern text *rsn_caller_at(const text *address);

#endif							/* RSN_ENGINE_CALLER_H */
