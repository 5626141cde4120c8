/*-------------------------------------------------------------------------
 *
 * engine/branch.h
 *	  What is sent along with a task to save its holder round trips.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_ENGINE_BRANCH_H
#define RSN_ENGINE_BRANCH_H

#include "store/store.h"

extern int	rsn_branch_siblings(const RsnPromiseRow *promise,
								RsnPromiseRow **rows);
extern int	rsn_branch_siblings_of(text *id, RsnPromiseRow **rows);

#endif							/* RSN_ENGINE_BRANCH_H */
