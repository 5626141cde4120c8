/*-------------------------------------------------------------------------
 *
 * input.h
 *	  What every fuzz target needs: values out of bytes, and a way to fail.
 *
 * A value is chosen by one byte, so that a mutation of that byte leads to
 * another edge of the range, and only the last choice takes more bytes.  What
 * is missing at the end of the input is zero.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_FUZZ_INPUT_H
#define RSN_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer calls this, and so does replay.c. */
extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of the input. */
typedef struct Input
{
	const uint8_t *data;
	size_t		len;
} Input;

/* Ends the program, as a crash does, when a condition does not hold. */
#define REQUIRE(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: %s: does not hold: %s\n", \
					__FILE__, __LINE__, __func__, #condition); \
			abort(); \
		} \
	} while (0)

static inline uint8_t
take_byte(Input *input)
{
	if (input->len == 0)
		return 0;
	input->len--;
	return *input->data++;
}

/* A number from 0 to limit - 1. */
static inline int
take_choice(Input *input, int limit)
{
	return take_byte(input) % limit;
}

static inline bool
take_bool(Input *input)
{
	return (take_byte(input) & 1) != 0;
}

/* Any number of so many bytes. */
static inline uint64_t
take_bytes(Input *input, int nbytes)
{
	uint64_t	result = 0;

	for (int i = 0; i < nbytes; i++)
		result = result << 8 | take_byte(input);
	return result;
}

/* A number that is not negative: mostly small, else at the edge or any. */
static inline int64_t
take_size(Input *input)
{
	uint8_t		choice = take_byte(input);

	if (choice < 192)
		return choice;
	if (choice < 224)
		return INT64_MAX - (choice - 192);
	if (choice < 240)
		return INT64_C(1) << (choice - 224) * 4;
	return (int64_t) (take_bytes(input, 8) & INT64_MAX);
}

/* The same of 32 bits. */
static inline int32_t
take_size32(Input *input)
{
	uint8_t		choice = take_byte(input);

	if (choice < 224)
		return choice;
	if (choice < 240)
		return INT32_MAX - (choice - 224);
	return (int32_t) (take_bytes(input, 4) & INT32_MAX);
}

/* A copy of exactly its length, so that reading on is found out. */
static inline char *
copy_text(const Input *input)
{
	char	   *copy = malloc(input->len > 0 ? input->len : 1);

	REQUIRE(copy != NULL);
	if (input->len > 0)
		memcpy(copy, input->data, input->len);
	return copy;
}

#endif							/* RSN_FUZZ_INPUT_H */
