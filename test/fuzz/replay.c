/*-------------------------------------------------------------------------
 *
 * replay.c
 *	  Runs a fuzz target once for each file that is named, and once for every
 *	  prefix of it; for where there is no libFuzzer.
 *
 *-------------------------------------------------------------------------
 */
#include "input.h"

#define FILE_LEN_MAX 65536

/* Runs a file and its prefixes; returns how many inputs that were. */
static size_t
replay(const char *name)
{
	static uint8_t buffer[FILE_LEN_MAX];
	FILE	   *file = fopen(name, "rb");
	size_t		len;

	if (file == NULL)
	{
		perror(name);
		exit(2);
	}
	len = fread(buffer, 1, sizeof(buffer), file);
	REQUIRE(ferror(file) == 0 && len < sizeof(buffer));
	fclose(file);

	for (size_t i = 0; i <= len; i++)
	{
		Input		prefix = {buffer, i};
		char	   *copy = copy_text(&prefix);

		LLVMFuzzerTestOneInput((const uint8_t *) copy, i);
		free(copy);
	}
	return len + 1;
}

int
main(int argc, char **argv)
{
	size_t		ninputs = 0;

	for (int i = 1; i < argc; i++)
	{
		/* Shown only if this one ends the program. */
		fprintf(stderr, "%s\r", argv[i]);
		ninputs += replay(argv[i]);
	}
	fprintf(stderr, "\033[K");
	printf("%d files, %zu inputs\n", argc - 1, ninputs);
	return argc > 1 ? 0 : 2;
}
