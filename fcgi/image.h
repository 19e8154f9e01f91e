/* image -- what one worker gives to the next, as bytes: streams, half-read requests, half-sent
 * answers (image.def), and the packets it goes in. Pure. What is read is foreign: checked here as
 * far as it can be without its neighbours, so that who builds from it need not doubt it. */
#ifndef BELFRY_IMAGE_H
#define BELFRY_IMAGE_H

#include "wire/message.h"

#define IMAGE_VERSION   1
#define IMAGE_BYTES_MAX (128 * 1024 * 1024) /* of all images of one packet */

enum image_state { IMAGE_OPENING, IMAGE_BEHIND, IMAGE_LIVE, IMAGE_PARTING };
enum image_kind {
    IMAGE_CONN, /* FastCGI */
    IMAGE_PIPE, /* the standard output of a CGI program */
    IMAGE_CALL, /* a CGI program that says what it wants; perhaps with its output */
};

/* struct image_stream { uint8_t state; … }; */
#define F(kind, name) msg_##kind name;
#define IMAGE(type, fields)                                                                        \
    struct image_##type {                                                                          \
        fields                                                                                     \
    };
#include "image.def"
#undef IMAGE
#undef F

#define IMAGE(type, fields)                                                                        \
    bool image_##type##_pack(struct buf *out, const struct image_##type *m);                       \
    /* The slices point into `bytes`. False: not such an image. */                                 \
    MUST_USE bool image_##type##_unpack(Str bytes, struct image_##type *m);
#include "image.def"
#undef IMAGE

enum given { GIVEN, STAYS, NOT_WANTED }; /* STAYS: there is nothing to be given any more */
/* Takes an image of an outlet with its descriptors, which stay the caller's. False: no. */
typedef bool image_giver(void *ctx, const struct image_outlet *m, const int *fds);

/* A packet between two workers says one word. Its bytes and descriptors lie beside it. */
enum image_word {
    IMAGE_HELLO,   /* new: I have started (8 bytes: my pid, big end first) */
    IMAGE_WORKER,  /* old: a packed `worker`; from here on it is frozen */
    IMAGE_BATCH,   /* old: a list of packed `outlet`, with a descriptor or two for each */
    IMAGE_TAKEN,   /* new: the last packet is in my hands */
    IMAGE_ALL,     /* old: that was all of it */
    IMAGE_READY,   /* new: all of it works for me, the hub knows */
    IMAGE_YOURS,   /* old: go on from here, I have let go */
    IMAGE_REFUSED, /* either: no (text); the old one goes on */
    IMAGE_WORDS
};
#define IMAGE_HEAD 8
struct image_head {
    uint8_t version; /* not yet checked to be one that is spoken */
    uint8_t word;    /* enum image_word */
    bool has_body;
};
void image_head_pack(char out[IMAGE_HEAD], struct image_head h);
MUST_USE bool image_head_unpack(Str bytes, struct image_head *out);
bool image_is_spoken(uint8_t version);

#endif
