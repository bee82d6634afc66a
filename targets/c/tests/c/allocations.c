/* Counts every call of malloc and its kin: after a session is made there are none but for decoding an encoded image.
 *
 *     allocations MODEL MMPROJ PICTURE QUESTION
 *
 * The functions below stand before the C library's, which glibc also offers under names of its own.
 */
#include "ocelli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static volatile long calls;

void *malloc(size_t size)
{
    ++calls;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    ++calls;
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    ++calls;
    return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size)
{
    ++calls;
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    ++calls;
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    ++calls;
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}

void free(void *old)
{
    __libc_free(old);
}

static unsigned char picture[1 << 20];

static int sink(void *user, const char *text, size_t length)
{
    (void)text;
    *(size_t *)user += length;
    return 0;
}

/* A turn by pulling and one by callback, with an error between. Gives the calls that decoding made. */
static long turn(ocelli_session *session, size_t length, const char *question)
{
    char text[32];
    size_t piece, all = 0;
    long before = calls;
    ocelli_stats stats;
    if (ocelli_add_image(session, picture, length) != OCELLI_OK) {
        return -1;
    }
    before = calls - before;
    stats.size = sizeof stats;
    if (ocelli_add_text(session, OCELLI_USER, question, OCELLI_Z) != OCELLI_OK
        || ocelli_next(session, text, 1, &piece) != OCELLI_NO_ROOM) {
        return -1;
    }
    while (ocelli_next(session, text, sizeof text, &piece) == OCELLI_OK) {
        all += piece;
    }
    if (ocelli_add_text(session, OCELLI_USER, question, OCELLI_Z) != OCELLI_OK
        || ocelli_answer(session, sink, &all) != OCELLI_OK
        || ocelli_set(session, "seed", OCELLI_Z, "7", 1) != OCELLI_OK
        || ocelli_get_stats(session, &stats) != OCELLI_OK || stats.beyond != 0 || all == 0) {
        return -1;
    }
    return before;
}

int main(int count, char **arguments)
{
    static const char options[] = "context=1024 image=640x640 threads=2 max_tokens=12";
    ocelli_source source;
    ocelli_model *model;
    ocelli_session *session;
    FILE *file;
    size_t length;
    long before, decoding = 0;
    int i;

    if (count != 5 || (file = fopen(arguments[3], "rb")) == NULL) {
        return 2;
    }
    length = fread(picture, 1, sizeof picture, file);
    fclose(file);
    memset(&source, 0, sizeof source);
    source.size = sizeof source;
    source.text_path = arguments[1];
    source.vision_path = arguments[2];
    source.text_path_length = source.vision_path_length = OCELLI_Z;
    if (ocelli_model_open(&source, NULL, 0, &model) != OCELLI_OK
        || ocelli_session_new(model, options, OCELLI_Z, NULL, 0, &session) != OCELLI_OK) {
        fprintf(stderr, "%s\n", ocelli_error(NULL));
        return 1;
    }
    before = calls;
    for (i = 0; i < 3; ++i) {
        long more = turn(session, length, arguments[4]);
        if (more < 0) {
            fprintf(stderr, "%s\n", ocelli_error(session));
            return 1;
        }
        decoding += more;
    }
    before = calls - before;
    ocelli_session_free(session);
    ocelli_model_free(model);
    printf("decoding %ld others %ld\n", decoding, before - decoding);
    return before == decoding && calls > 0 ? 0 : 1;
}
