#include "mint.h"

#include <assert.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RFC_CLAIMS                                                                                 \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"                             \
    "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

const char *const mint_rfc_keys[3] = {
    "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4h"
    "cgUuTwjAzZr1Z9CAow\"}",
    "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw"
    "-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LO"
    "L-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9k"
    "G4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\","
    "\"e\":\"AQAB\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
};

const char *const mint_rfc_tokens[3] = {
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." RFC_CLAIMS
    ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "eyJhbGciOiJSUzI1NiJ9." RFC_CLAIMS
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5"
    "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L"
    "07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUi"
    "pUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    "eyJhbGciOiJFUzI1NiJ9." RFC_CLAIMS
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
};

void mint_base64(struct buf *out, Str bytes)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        bits = (bits << 8 | (unsigned char)bytes.p[i]) & 0xffff;
        for (have += 8; have >= 6; have -= 6)
            buf_putc(out, letters[bits >> (have - 6) & 63]);
    }
    if (have)
        buf_putc(out, letters[bits << (6 - have) & 63]);
}

void mint_put(struct buf *out, Str header, Str payload, Str secret)
{
    char mac[32];
    unsigned size = sizeof mac;
    size_t begin = out->len;
    mint_base64(out, header);
    buf_putc(out, '.');
    mint_base64(out, payload);
    HMAC(EVP_sha256(), secret.p, (int)secret.len, (unsigned char *)out->p + begin, out->len - begin,
         (unsigned char *)mac, &size);
    buf_putc(out, '.');
    mint_base64(out, str_make(mac, size));
    assert(!out->full);
}

Str mint(const char *header, const char *payload)
{
    static char room[MINT_BYTES];
    struct buf b = {.p = room, .cap = sizeof room, .max = sizeof room - 1};
    mint_put(&b, str_of(header), str_of(payload), STR(MINT_SECRET));
    return buf_str(&b);
}

Str mint_claims(const char *claims, long long seconds)
{
    char text[16384];
    size_t at = str_find(str_of(claims), '%');
    snprintf(text, sizeof text, "%.*s", (int)at, claims);
    if (claims[at])
        snprintf(text + at, sizeof text - at, "%lld%s", seconds, claims + at + 1);
    return mint("{\"alg\":\"HS256\"}", text);
}

void mint_write(const char *path, Str text)
{
    char fresh[96];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    unlink(fresh);
    umask(077);
    FILE *f = fopen(fresh, "wb");
    assert(f);
    fwrite(text.p, 1, text.len, f);
    fclose(f);
    int failed = rename(fresh, path);
    assert(!failed);
}

char *mint_file(Str text)
{
    char path[] = "/tmp/belfry-keys-XXXXXX";
    int fd = mkstemp(path);
    assert(fd >= 0);
    close(fd);
    mint_write(path, text);
    return str_dup(str_of(path));
}

void mint_drop(char *path)
{
    unlink(path);
    free(path);
}
