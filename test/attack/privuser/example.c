/* SPDX-License-Identifier: BSD-2-Clause */
/* Example of the ordinary part: example PASSWORD-FILE GUESS... prints what the vault says. */
#include <privcall.h>
#include <stdio.h>
#include <string.h>

PRIVCALL(vault_load);
PRIVCALL(vault_check);

int main(int argc, char **argv)
{
	long r;

	if (argc < 2 || priv_init(NULL) < 0)
		return 2;
	r = privcall(vault_load, argv[1], strlen(argv[1]) + 1);
	if (r < 0) {
		fprintf(stderr, "%s: error %ld\n", argv[1], -r);
		return 1;
	}
	for (int i = 2; i < argc; i++) {
		r = privcall(vault_check, argv[i], strlen(argv[i]));
		printf("%s: %s\n", argv[i], r == 1 ? "right" : r == 0 ? "wrong" : "no answer");
	}
	return 0;
}
