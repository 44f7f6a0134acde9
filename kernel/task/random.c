/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random bytes: ChaCha20 (RFC 8439) as a generator with fast key erasure: each refill of the pool
 * first takes a new key from the stream, and bytes are wiped from the pool as they are given out,
 * so that what was given out cannot be computed from the state afterwards.
 *
 * Seeds: RDRAND where the CPU has it; the jitter of the TSC over many short measurements; boot
 * data. Fresh RDRAND and TSC bits are mixed in on each reseed (every 1 MiB, and at least every 60 s
 * of use). Without RDRAND the quality rests on the jitter, which a deterministic emulator (icount,
 * Bochs) does not have: that is said in the log.
 */
#include "base/hash.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/task/internal.h"

#define KEY_WORDS     8u
#define BLOCK_BYTES   64u
#define RESEED_BYTES  (1u << 20)
#define RESEED_NS     (60 * NS_PER_SEC)
#define JITTER_ROUNDS 256u

static uint32_t key[KEY_WORDS];
static uint8_t pool[4 * BLOCK_BYTES]; /* small requests; the last `pool_left` bytes are fresh */
static size_t pool_left;
static uint64_t generation; /* nonce: no two streams of one key */
static uint64_t given;      /* bytes since the last reseed */
static uint64_t reseed_at_ns;

static inline uint32_t rotl(uint32_t v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static inline void quarter(uint32_t *s, unsigned a, unsigned b, unsigned c, unsigned d)
{
	s[a] += s[b];
	s[d] = rotl(s[d] ^ s[a], 16);
	s[c] += s[d];
	s[b] = rotl(s[b] ^ s[c], 12);
	s[a] += s[b];
	s[d] = rotl(s[d] ^ s[a], 8);
	s[c] += s[d];
	s[b] = rotl(s[b] ^ s[c], 7);
}

static void chacha_block(const uint32_t k[KEY_WORDS], uint64_t counter, uint64_t nonce,
			 uint32_t out[16])
{
	uint32_t in[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	memcpy(in + 4, k, KEY_WORDS * sizeof(uint32_t));
	in[12] = (uint32_t)counter;
	in[13] = (uint32_t)(counter >> 32);
	in[14] = (uint32_t)nonce;
	in[15] = (uint32_t)(nonce >> 32);
	memcpy(out, in, sizeof(in));
	for (unsigned i = 0; i < 10; i++) {
		quarter(out, 0, 4, 8, 12);
		quarter(out, 1, 5, 9, 13);
		quarter(out, 2, 6, 10, 14);
		quarter(out, 3, 7, 11, 15);
		quarter(out, 0, 5, 10, 15);
		quarter(out, 1, 6, 11, 12);
		quarter(out, 2, 7, 8, 13);
		quarter(out, 3, 4, 9, 14);
	}
	for (unsigned i = 0; i < 16; i++)
		out[i] += in[i];
}

/* Absorb 32 bytes: the key becomes the cipher's output under (key xor data). */
static void absorb(const uint32_t data[KEY_WORDS])
{
	uint32_t block[16];

	for (unsigned i = 0; i < KEY_WORDS; i++)
		key[i] ^= data[i];
	chacha_block(key, 0, ++generation, block);
	memcpy(key, block, sizeof(key));
	memset(block, 0, sizeof(block));
}

static bool absorb_rdrand(void)
{
	uint64_t r[KEY_WORDS / 2];
	uint32_t words[KEY_WORDS];

	for (unsigned i = 0; i < ARRAY_SIZE(r); i++)
		if (!x86_rdrand(&r[i]))
			return false;
	memcpy(words, r, sizeof(words));
	absorb(words);
	return true;
}

/*
 * How long a few instructions take differs by interrupts of the host, caches, frequency: a little
 * in each round.
 */
static void absorb_jitter(unsigned rounds)
{
	uint64_t h = HASH_SEED, last = rdtsc();
	uint32_t words[KEY_WORDS] = { 0 };

	for (unsigned i = 0; i < rounds; i++) {
		uint64_t now = rdtsc();

		h = hash_u64(h ^ (now - last) ^ now << 32);
		last = now;
		words[i % KEY_WORDS] ^= (uint32_t)(h >> 17);
		if (i % KEY_WORDS == KEY_WORDS - 1)
			absorb(words);
	}
}

static void reseed(void)
{
	pool_left = 0;
	absorb_rdrand();
	absorb_jitter(KEY_WORDS);
	given = 0;
	reseed_at_ns = time_mono_ns() + RESEED_NS;
}

void random_mix(const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len > 0) {
		uint32_t words[KEY_WORDS] = { 0 };
		size_t n = len < sizeof(words) ? len : sizeof(words);

		memcpy(words, p, n);
		absorb(words);
		p += n;
		len -= n;
	}
	pool_left = 0;
}

/* The stream of one key: its first 32 bytes become the next key, the rest goes to out[0..len). */
static void generate(uint8_t *out, size_t len)
{
	uint32_t block[16], k[KEY_WORDS];
	uint64_t counter = 0, nonce = ++generation;
	size_t n = BLOCK_BYTES - sizeof(key);

	if (given >= RESEED_BYTES || time_mono_ns() >= reseed_at_ns)
		reseed();
	given += len;
	memcpy(k, key, sizeof(k));
	chacha_block(k, counter, nonce, block);
	memcpy(key, block, sizeof(key));
	if (n > len)
		n = len;
	memcpy(out, block + KEY_WORDS, n);
	while (len > n) {
		out += n;
		len -= n;
		n = len < BLOCK_BYTES ? len : BLOCK_BYTES;
		chacha_block(k, ++counter, nonce, block);
		memcpy(out, block, n);
	}
	memset(block, 0, sizeof(block));
	memset(k, 0, sizeof(k));
	/* The compiler must not think that nobody sees them wiped. */
	__asm__ volatile("" ::"r"(block), "r"(k) : "memory");
}

void random_bytes(void *buf, size_t len)
{
	uint8_t *from;

	if (len > sizeof(pool)) {
		generate(buf, len);
		return;
	}
	if (len > pool_left) {
		generate(pool, sizeof(pool));
		pool_left = sizeof(pool);
	}
	from = pool + sizeof(pool) - pool_left;
	memcpy(buf, from, len);
	memset(from, 0, len);
	pool_left -= len;
}

uint64_t random_u64(void)
{
	uint64_t v;

	random_bytes(&v, sizeof(v));
	return v;
}

uint64_t random_below(uint64_t n)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % n, v;

	do
		v = random_u64();
	while (v >= limit);
	return v % n;
}

void random_init(void)
{
	uint64_t times[2] = { time_real_ns(), boot_info.entry_tsc };

	random_mix(times, sizeof(times));
	random_mix(&boot_info.core, sizeof(boot_info.core));
	absorb_jitter(JITTER_ROUNDS);
	if (!absorb_rdrand())
		log_warn("no RDRAND: random numbers rest on timing alone");
	reseed_at_ns = time_mono_ns() + RESEED_NS;
}
