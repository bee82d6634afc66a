/* Ocelli: a question about a picture, answered by a small vision-language model on the device itself.
 *
 *     ocelli_model *model; ocelli_session *session; ocelli_source files = {0};
 *     files.size = sizeof files; files.text_path = "model.gguf"; files.text_path_length = OCELLI_Z;
 *     ocelli_model_open(&files, NULL, 0, &model);
 *     ocelli_session_new(model, "image=1280x720", OCELLI_Z, NULL, 0, &session);
 *     ocelli_add_image(session, jpeg, jpeg_length);
 *     ocelli_add_text(session, OCELLI_USER, "What does the gauge read?", OCELLI_Z);
 *     while (ocelli_next(session, text, sizeof text, &length) == OCELLI_OK) fwrite(text, 1, length, stdout);
 *
 * Conventions, which hold for every function unless its own comment says otherwise.
 *
 * Status   Functions return a status. 0 is success, above 0 is no error either (an end, a stop that was asked for), below
 *          0 is an error, and nothing has happened. No input ends the process; nothing is thrown.
 * Outputs  come last, are written only if the status is OCELLI_OK, and are never read, but for the size of a struct.
 * NULL     is an error, also beside a length of 0.
 * Text     is UTF-8 with a length in bytes and may contain zeros. The length OCELLI_Z stands for a text that ends before
 *          its first zero. A text that comes out is followed by a zero, which its length does not count.
 * Structs  begin with their own size: set it to sizeof. What a later version adds comes at the end.
 * Options  are keys and values, as text: see ocelli_set.
 * Threads  A `const` handle may be used by any number of threads at once. A session belongs to one call at a time: another
 *          gets OCELLI_BUSY. Only ocelli_cancel (from an interrupt too) and ocelli_error may be called meanwhile. A callback
 *          may call everything with other handles; what it makes may outlive the session.
 * Memory   With memory NULL and its length 0, a handle lives in malloc. Otherwise it lives in the caller's block, of any
 *          alignment, until it is freed. Model files in memory are borrowed: they stay, unchanged, until the model is freed.
 *          All else is copied but a frame's pixels. A session allocates nothing later but to decode encoded images.
 * Freeing  Sessions first, then their model, none while a call is in it: else OCELLI_BUSY, and nothing is freed. No call may
 *          begin with the handle then: in memory that is still the caller's it gets OCELLI_BAD_HANDLE (a copy of it always
 *          does), of malloc it is freed memory.
 */
#ifndef OCELLI_H
#define OCELLI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this interface. Additions keep the first number. */
#define OCELLI_ABI_MAJOR 0
#define OCELLI_ABI_MINOR 3
#define OCELLI_ABI ((uint32_t)OCELLI_ABI_MAJOR << 16 | (uint32_t)OCELLI_ABI_MINOR)

/* As a length: the text ends before its first zero. */
#define OCELLI_Z ((size_t)-1)

/* A fixed width, because the size of an enum is the compiler's choice. */
typedef int32_t ocelli_status;

enum {
    OCELLI_OK = 0,
    OCELLI_END = 1,            /* the answer is complete */
    OCELLI_CANCELLED = 2,      /* stopped by ocelli_cancel, or by the callback; the same call goes on */
    OCELLI_LATE = 3,           /* the deadline has passed */
    OCELLI_BAD_ARGUMENT = -1,  /* NULL, an impossible length, a struct of the wrong size, a value out of range */
    OCELLI_BAD_HANDLE = -2,    /* not a handle, or one that was freed */
    OCELLI_BAD_TEXT = -3,      /* not UTF-8 */
    OCELLI_BAD_OPTION = -4,    /* no such key, a value it does not take, or a key that is fixed by now */
    OCELLI_BAD_ORDER = -5,     /* nothing was added that could be answered */
    OCELLI_BAD_VERSION = -6,   /* the header is not the library's */
    OCELLI_BAD_FILE = -7,      /* a model file cannot be read, or is damaged */
    OCELLI_BAD_MODEL = -8,     /* a model that is not supported, two files that do not belong together, no template */
    OCELLI_BAD_IMAGE = -9,     /* damaged, not supported, or larger than was planned for */
    OCELLI_BUSY = -10,         /* in use by another call; a model that still has sessions */
    OCELLI_NO_MEMORY = -11,    /* the block is too small, a limit would be broken, or malloc gave none */
    OCELLI_NO_ROOM = -12,      /* the buffer is too short */
    OCELLI_NO_CONTEXT = -13,   /* the conversation is longer than the context: ocelli_reset, or a larger one */
    OCELLI_NO_VISION = -14,    /* an image for a model without a vision tower */
    OCELLI_FAULT = -15,        /* a fault in Ocelli, or weights that compute no numbers; the handle can only be freed */
    OCELLI_UNSUPPORTED = -16   /* this build of the library has not got it: files, encoded images */
};

typedef struct ocelli_model ocelli_model;     /* the files of a model, read and checked; may be shared */
typedef struct ocelli_session ocelli_session; /* a conversation with it, and all the memory that takes */

/* The library's version as text, and whether it has what this header declares: OCELLI_OK or OCELLI_BAD_VERSION. */
const char *ocelli_version(void);
ocelli_status ocelli_check(uint32_t abi); /* OCELLI_ABI */

/* A status in words: never NULL, in static memory. */
const char *ocelli_status_text(ocelli_status status);

/* What the last call with an error had to say, in the order of things: what failed, where, and why. Never NULL; good
 * until the next call with the same session. Without a session (NULL): of the last call of this thread that had none,
 * or that could not use the one it was given (OCELLI_BUSY too). While a call is in the session: that this is so. */
const char *ocelli_error(ocelli_session *session);

/* Where there is no operating system (else OCELLI_UNSUPPORTED), before anything else: `memory` stands for malloc (NULL, 0:
 * none), `clock_ms` is of any beginning (NULL: no deadlines). One call at a time is in the library; another is BUSY. */
typedef uint64_t (*ocelli_clock)(void *user);
typedef struct ocelli_platform {
    size_t size;
    void *memory;
    size_t bytes;
    ocelli_clock clock_ms;
    void *user;
} ocelli_platform;
ocelli_status ocelli_use_platform(const ocelli_platform *platform);

/* ---- The model ---------------------------------------------------------------------------------------------------- */

enum {
    OCELLI_NO_TOWER = 1, /* do not look for a vision tower */
    OCELLI_READ = 2      /* read files into memory; without it they are mapped where the system can */
};

/* Where a model is: paths, or bytes in memory (flash, a decrypted buffer); not both. Unused members are 0. A vision tower is a
 * file of its own (mmproj), which a language model alone does not need; one that fits is found in the folder of a path. */
typedef struct ocelli_source {
    size_t size;
    const char *text_path;
    size_t text_path_length;
    const char *vision_path;
    size_t vision_path_length;
    const void *text;
    size_t text_length;
    const void *vision;
    size_t vision_length;
    uint32_t flags;
    uint32_t reserved;
} ocelli_source;

/* The bytes that ocelli_model_open needs of memory for the model's own tables (tokens, shapes, the chat template), to
 * the byte. Works the tables out and drops them again. */
ocelli_status ocelli_model_need(const ocelli_source *source, size_t *bytes);

ocelli_status ocelli_model_open(const ocelli_source *source, void *memory, size_t bytes, ocelli_model **model);

/* OCELLI_BUSY while sessions, or calls of other threads, use it: then nothing is freed. */
ocelli_status ocelli_model_free(ocelli_model *model);

/* ---- The session -------------------------------------------------------------------------------------------------- */

/* What a session takes, in bytes. */
typedef struct ocelli_need {
    size_t size;
    uint64_t session; /* the block for ocelli_session_new: the sum of the next five */
    uint64_t arena;   /* activations and scratch */
    uint64_t kv;      /* keys and values of the whole context */
    uint64_t images;  /* images on their way to the tower */
    uint64_t text;    /* the conversation, its rendering, tokens */
    uint64_t tables;  /* recorded models, threads, the handle, and a tower in int8 */
    uint64_t decode;  /* beside the block: malloc for a turn's encoded images, at most (option decode) */
    uint64_t weights; /* beside the block: the model files, mapped, borrowed or read */
} ocelli_need;

/* Options here are one text of key=value, separated by blanks or line ends: those of ocelli_set, and these, which are
 * fixed from then on:
 *     context=N      positions of the context (default: the model's, at most 4096)
 *     image=WxH      the largest image, either way up, or `none` (default 1024x1024)
 *     image_tokens=N most positions that an image may take
 *     text=N         most bytes of text (default: 4 a position); messages, texts and images are at most positions / 3 + 8
 *     decode=N       bytes of malloc that a turn's encoded images may take (default: enough for the largest in any format)
 *     threads=N      the caller's included (default: as many as run at once); pin=0|1 keeps others to a processor each (Linux)
 *     batch=N        positions of a prompt that are computed together (default 256; fewer take less arena)
 *     kv=f16|f32|q8_0   how keys and values are stored
 *     square=pad|crop   how an image becomes a square, for models that know both
 *     limit=N        bytes that session and weights may take together; fit=0|1 tiles images more coarsely to keep it
 *     tower_int8=0|1 computes with a tower of F32, F16 or BF16 as with one of Q8_0, made in the session's block
 *     isa=NAME       instruction set (default: the fastest there is) */
ocelli_status ocelli_plan(const ocelli_model *model, const char *options, size_t length, ocelli_need *need);
ocelli_status ocelli_session_new(const ocelli_model *model, const char *options, size_t length, void *memory,
                                 size_t bytes, ocelli_session **session);
ocelli_status ocelli_session_free(ocelli_session *session);

/* Sets an option of the answers to come, by key and value:
 *     max_tokens 512      temperature 0 (the likeliest token)      top_k 0 (all)      top_p 1      min_p 0      seed 0
 *     repetition_penalty 1      repetition_last 64 (tokens that the penalty looks at)
 *     stop          a text before which an answer ends; each call adds one (eight at most), an empty value drops all
 *     deadline_ms   from the beginning of a turn's reading to the end of its answer; 0 is none. Setting it begins anew.
 *     orientation   exif (default): encoded images are turned as they say; none; 1 to 8: as EXIF would say. Frames never
 *                   turn.
 *     template      model (default): the conversation is written as the model's chat template says; none: texts as they
 *                   are, one after the other, control tokens in them included */
ocelli_status ocelli_set(ocelli_session *session, const char *key, size_t key_length, const char *value,
                         size_t value_length);

/* ---- The conversation --------------------------------------------------------------------------------------------- */

enum { OCELLI_SYSTEM = 0, OCELLI_USER = 1, OCELLI_ASSISTANT = 2 };

/* Adds a text to the conversation. Texts and images in a row of the same role are one message. After an answer, what is
 * added begins the next turn; the answer stays, complete or not. OCELLI_NO_CONTEXT beyond what option text plans for. */
ocelli_status ocelli_add_text(ocelli_session *session, int32_t role, const char *text, size_t length);

/* Adds an encoded image (PNG, JPEG, WebP, BMP, GIF) to the user's message, decoded here; its pixels wait in malloc until the
 * turn is read or reset. Too large by itself: OCELLI_BAD_IMAGE; with others: OCELLI_NO_CONTEXT, OCELLI_NO_MEMORY (decode). */
ocelli_status ocelli_add_image(ocelli_session *session, const void *encoded, size_t length);

enum {
    /* bytes of a pixel in the order of the name; the alpha of RGBA is ignored */
    OCELLI_RGB = 0, OCELLI_BGR = 1, OCELLI_RGBA = 2, OCELLI_GREY8 = 3,
    /* two bytes, the lower first; a plane of luma and one of Cb, Cr (NV21: Cr, Cb) with half its rows */
    OCELLI_RGB565 = 4, OCELLI_YUYV = 5, OCELLI_NV12 = 6, OCELLI_NV21 = 7
};
enum { OCELLI_BT601_LIMITED = 0, OCELLI_BT601_FULL = 1, OCELLI_BT709_LIMITED = 2, OCELLI_BT709_FULL = 3 };

/* A camera's frame, where it is. Rows begin stride bytes apart, top-down. `chroma` is for NV12 and NV21, else 0; `colors`
 * says what luma and chroma mean, where there are such. */
typedef struct ocelli_frame {
    size_t size;
    uint32_t width;
    uint32_t height;
    int32_t format;
    int32_t colors;
    const void *plane;
    size_t plane_length;
    size_t plane_stride;
    const void *chroma;
    size_t chroma_length;
    size_t chroma_stride;
} ocelli_frame;

/* Adds a frame to the user's message. Its pixels are borrowed until a call has given the first text of the answer, or the
 * turn was reset, or the session freed. Errors as of ocelli_add_image. */
ocelli_status ocelli_add_frame(ocelli_session *session, const ocelli_frame *frame);

/* Gives what the decoder reads for the image that was added last in this turn: rows of so many numbers each, which stay until
 * the session's next call. The image stays in the turn and is not encoded again when it is read. */
ocelli_status ocelli_embed(ocelli_session *session, const float **values, size_t *rows, size_t *width);

/* Makes the next token of the answer and gives the text that is certain by now, which may be empty; OCELLI_END after the
 * last. The first call of a turn reads what was added (encodes images, computes the prompt), and takes as long as that
 * takes. Blanks before the first word are left out. A buffer needs room for 5 bytes; what does not fit comes with the
 * next call. */
ocelli_status ocelli_next(ocelli_session *session, char *text, size_t room, size_t *length);

/* Makes the whole answer: OCELLI_OK when it is complete. The callback gets each piece of text, followed by a zero, and
 * returns 0 to go on. It must return (no longjmp, no exception). */
typedef int (*ocelli_sink)(void *user, const char *text, size_t length);
ocelli_status ocelli_answer(ocelli_session *session, ocelli_sink sink, void *user);

/* Stops the call that this session is in, or its next one, with OCELLI_CANCELLED. Calling that one again goes on where it
 * was. One atomic store: from any thread, or an interrupt, until ocelli_session_free is called. */
ocelli_status ocelli_cancel(const ocelli_session *session);

enum {
    OCELLI_RESET_ALL = 0, /* forgets the conversation */
    OCELLI_RESET_TURN = 1 /* forgets what was added since the last answer */
};
ocelli_status ocelli_reset(ocelli_session *session, int32_t what);

enum { OCELLI_UNFINISHED = 0, OCELLI_BY_MODEL = 1, OCELLI_BY_STOP = 2, OCELLI_BY_LIMIT = 3, OCELLI_BY_CONTEXT = 4 };

/* What the last turn took. */
typedef struct ocelli_stats {
    size_t size;
    uint64_t decode_us;   /* decoding encoded images */
    uint64_t resize_us;   /* resizing and cutting them */
    uint64_t encode_us;   /* the vision tower */
    uint64_t prefill_us;  /* the prompt */
    uint64_t generate_us; /* the answer */
    uint64_t heap_peak;   /* most bytes ever used of the block, the handle itself not counted */
    uint64_t beyond;      /* bytes taken from malloc although they should have come from the block: 0 */
    uint32_t prompt_tokens;
    uint32_t image_tokens; /* of them, images' */
    uint32_t reused_tokens; /* of them, known from the turn before */
    uint32_t answer_tokens;
    uint32_t context_used;
    uint32_t ended; /* why the answer ended */
} ocelli_stats;

ocelli_status ocelli_get_stats(ocelli_session *session, ocelli_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
