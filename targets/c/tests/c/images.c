/* Counts what malloc has given at any one time while images are added until there is no room for more: never more than
 * need.decode says, whatever their format; and all of it is given back.
 *
 *     images MODEL MMPROJ PICTURE...
 *
 * The functions below stand before the C library's, as in allocations.c.
 */
#include "ocelli.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static volatile long given, peak;

static void *more(void *piece)
{
    given += piece == NULL ? 0 : (long)malloc_usable_size(piece);
    peak = given > peak ? given : peak;
    return piece;
}

void *malloc(size_t size)
{
    return more(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return more(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size)
{
    long before = old == NULL ? 0 : (long)malloc_usable_size(old);
    void *moved = __libc_realloc(old, size);
    if (moved != NULL || size == 0) {
        given -= before;
    }
    return more(moved);
}

void *memalign(size_t alignment, size_t size)
{
    return more(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return more(__libc_memalign(alignment, size));
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    *out = more(__libc_memalign(alignment, size));
    return *out ? 0 : ENOMEM;
}

void free(void *old)
{
    given -= old == NULL ? 0 : (long)malloc_usable_size(old);
    __libc_free(old);
}

static unsigned char picture[1 << 20];
static unsigned char block[64 << 20];

/* Adds a picture until it is refused; gives how often it was taken, and the refusal. */
static int fill(ocelli_session *session, size_t length, ocelli_status *status)
{
    int taken = 0;
    while ((*status = ocelli_add_image(session, picture, length)) == OCELLI_OK && taken < 10000) {
        ++taken;
    }
    return taken;
}

int main(int count, char **arguments)
{
    /* Enough for a few, for many, and for what there is by default. */
    static const char *const plans[] = {"context=4096 image=640x640 threads=1 max_tokens=1 decode=8000000",
                                        "context=4096 image=640x640 threads=1 max_tokens=1",
                                        "context=512 image=640x640 threads=1 max_tokens=1"};
    ocelli_source source;
    ocelli_model *model;
    ocelli_session *session;
    ocelli_need need;
    ocelli_stats stats;
    int plan, i, wrong = 0;
    static char out[1 << 16];

    /* What is said needs no malloc. */
    setvbuf(stdout, out, _IOFBF, sizeof out);

    memset(&source, 0, sizeof source);
    source.size = sizeof source;
    source.text_path = arguments[1];
    source.vision_path = arguments[2];
    source.text_path_length = source.vision_path_length = OCELLI_Z;
    if (count < 4 || ocelli_model_open(&source, NULL, 0, &model) != OCELLI_OK) {
        return 2;
    }
    for (plan = 0; plan < 3; ++plan) {
        for (i = 3; i < count; ++i) {
            ocelli_status status, then;
            FILE *file = fopen(arguments[i], "rb");
            size_t length = file == NULL ? 0 : fread(picture, 1, sizeof picture, file), piece;
            long before;
            int taken, again;
            char text[16];
            if (file != NULL) {
                fclose(file);
            }
            need.size = sizeof need;
            stats.size = sizeof stats;
            if (ocelli_plan(model, plans[plan], OCELLI_Z, &need) != OCELLI_OK || need.session > sizeof block
                || ocelli_session_new(model, plans[plan], OCELLI_Z, block, sizeof block, &session) != OCELLI_OK) {
                fprintf(stderr, "%s\n", ocelli_error(NULL));
                return 1;
            }
            /* What the first decoder makes once for the whole process (a hook that keeps panics quiet) is there by then. */
            (void)ocelli_add_image(session, picture, length);
            ocelli_reset(session, OCELLI_RESET_TURN);
            before = peak = given;
            taken = fill(session, length, &status);
            printf("%s: %d taken, then %ld; at most %ld bytes of %lu\n", arguments[i], taken, (long)status,
                   peak - before, (unsigned long)need.decode);
            /* Where not one fits, it is refused for what it alone would take. */
            if ((status != OCELLI_NO_MEMORY && status != OCELLI_NO_CONTEXT && (taken > 0 || status != OCELLI_BAD_IMAGE))
                || (unsigned long)(peak - before) > (unsigned long)need.decode) {
                wrong = 1;
            }
            /* Taken back, all of it is malloc's again, and as many fit once more. */
            ocelli_reset(session, OCELLI_RESET_TURN);
            if (given != before) {
                printf("%ld bytes are left of a turn that was taken back\n", given - before);
                wrong = 1;
            }
            again = fill(session, length, &then);
            ocelli_reset(session, OCELLI_RESET_TURN);
            /* Read, likewise. */
            (void)ocelli_add_image(session, picture, length);
            ocelli_add_text(session, OCELLI_USER, "What?", OCELLI_Z);
            while (ocelli_next(session, text, sizeof text, &piece) == OCELLI_OK) {
            }
            if (again != taken || then != status || given != before
                || ocelli_get_stats(session, &stats) != OCELLI_OK || stats.beyond != 0) {
                printf("%d taken again, then %ld; %ld bytes left: %s\n", again, (long)then, given - before,
                       ocelli_error(session));
                wrong = 1;
            }
            ocelli_session_free(session);
        }
    }
    ocelli_model_free(model);
    return wrong;
}
