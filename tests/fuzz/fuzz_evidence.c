/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an evidence block. Few get past the hash over the body, so they are also taken as a body
 * that gets a header with the right hash; what decodes then must come out the same when encoded again.
 */
#include <assert.h>
#include <string.h>
#include <xxhash.h>

#include "memory/evidence.h"
#include "memory/flac.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void decode(struct slice block)
{
    struct arena arena;
    struct record *records, *again;
    uint32_t count, n;
    struct buf out = {0};
    struct errmsg err = {{0}};
    arena_init(&arena, 4096);
    int r = evidence_decode(block, &arena, &records, &count, &err);
    assert(r == 0 || (r == ERR_CORRUPT && err.text[0]));
    if (r == 0) {
        assert(evidence_encode(records, count, 1, &out) == 0);
        assert(evidence_decode((struct slice){out.data, out.size}, &arena, &again, &n, &err) == 0);
        assert(n == count);
        for (uint32_t i = 0; i < n; i++)
            assert(record_hash(&records[i]) == record_hash(&again[i]));
    }
    buf_deinit(&out);
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    decode((struct slice){(const char *)data, size});
    unsigned char pcm[4096];
    struct errmsg err;
    int r = flac_decode((struct slice){(const char *)data, size}, pcm, sizeof(pcm), &err);
    assert(r == 0 || r == ERR_CORRUPT);
    if (size < 2 || size > 1 << 20)
        return 0;
    /* The first byte is the count of records. */
    struct buf b = {0};
    XXH128_canonical_t hash;
    XXH128_canonicalFromHash(&hash, XXH3_128bits(data + 1, size - 1));
    buf_append(&b, "vE\1\0", 4);
    buf_put_u32(&b, data[0]);
    buf_put_u32(&b, (uint32_t)size - 1);
    buf_append(&b, hash.digest, sizeof(hash.digest));
    buf_append(&b, data + 1, size - 1);
    decode((struct slice){b.data, b.size});
    buf_deinit(&b);
    return 0;
}
