/*-------------------------------------------------------------------------
 *
 * core/address.h
 *	  Where a message goes: the grammar of addresses.
 *
 *		notify://CHANNEL			NOTIFY on that channel of this database
 *		poll://any@GROUP			whichever worker of the group asks first
 *		poll://any@GROUP/ID			the same, with a preferred worker
 *		poll://uni@GROUP/ID			exactly that worker
 *		http://HOST...				a URL that somebody else posts to
 *		https://HOST...
 *		SCHEME://ANYTHING			a queue that somebody else drains
 *
 * A scheme is a letter, then letters, digits, "+", "-" and ".".
 *
 * Addresses are compared byte for byte, so nothing here folds case, decodes
 * or normalizes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_CORE_ADDRESS_H
#define RSN_CORE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#define RSN_ADDRESS_LEN_MAX 1024

/* A target need not be an address; one that is none is never offered. */
#define RSN_TARGET_LEN_MAX 1024

/* NAMEDATALEN - 1 of a stock server: NOTIFY takes no longer channel. */
#define RSN_ADDRESS_CHANNEL_LEN_MAX 63

typedef enum RsnAddressKind
{
	RSN_ADDRESS_INVALID,
	RSN_ADDRESS_NOTIFY,
	RSN_ADDRESS_POLL,
	RSN_ADDRESS_HTTP,
	RSN_ADDRESS_QUEUE
} RsnAddressKind;

typedef struct RsnAddress
{
	RsnAddressKind kind;
	const char *channel;		/* of a notify address, else NULL; points into
								 * the text, not zero-terminated */
	size_t		channel_len;
	const char *reason;			/* why it is invalid, a sentence for DETAIL;
								 * NULL when it is valid */
} RsnAddress;

extern RsnAddress rsn_address_parse(const char *text, size_t len);
extern bool rsn_address_is_notify(const char *text, size_t len);
extern size_t rsn_address_group_len(const char *text, size_t len);
extern size_t rsn_address_id_len(const char *text, size_t len);
extern bool rsn_address_is_listener(const char *text, size_t len);

#endif							/* RSN_CORE_ADDRESS_H */
