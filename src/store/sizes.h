/*-------------------------------------------------------------------------
 *
 * store/sizes.h
 *	  How large what comes in may be.
 *
 * What is said of a size is what it takes where it is written out, not where it is stored.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_STORE_SIZES_H
#define RSN_STORE_SIZES_H

#include "store/store.h"

/* The largest param, value, headers or tags, in bytes. */
#define RSN_DATA_MAX	(64 * 1024 * 1024)

/*
 * The most that a promise can be created with, or settled with, as it is written
 * in the wire protocol.  The whole record is jsonb there, of which an object holds
 * 256 MB, beside a branch.
 */
#define RSN_RECORD_MAX	(96 * 1024 * 1024)

extern bool rsn_jsonb_is_utf8(Jsonb *json);
extern Size rsn_written_size(Jsonb *tags, const RsnPayload *payload);

#endif							/* RSN_STORE_SIZES_H */
