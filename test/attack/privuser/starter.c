/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes the secret file and becomes the attacked program: its memory never held the secret. Where
 * there is no shell (ISO, Bochs) this is the first program. usage: starter PROGRAM [ARGUMENT...]
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "test/attack/privuser/victim.h"

int main(int argc, char **argv)
{
	char secret[SECRET_LEN];
	int fd = open(SECRET_FILE, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	for (int i = 0; i < SECRET_LEN; i++)
		secret[i] = (char)(SECRET_MASKED[i] ^ SECRET_MASK);
	if (fd < 0 || write(fd, secret, SECRET_LEN) != SECRET_LEN || close(fd) != 0 || argc < 2) {
		perror(SECRET_FILE);
		return 1;
	}
	execv(argv[1], argv + 1);
	perror(argv[1]);
	return 1;
}
