#include "report.h"

#include "board.h"
#include "frame.h"

/* A byte that a stack seldom holds for long. */
#define PAINT 0xA5

void put_text(const char *text)
{
    while (*text) board_put(*text++);
}

static void put_number(uint64_t value)
{
    char digits[24];
    size_t at = sizeof digits;

    digits[--at] = 0;
    do digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    put_text(digits + at);
}

void put_figure(const char *name, uint64_t value, const char *unit)
{
    put_text("[");
    put_text(name);
    put_text(" ");
    put_number(value);
    put_text(" ");
    put_text(unit);
    put_text("]\n");
}

void paint_stack(void)
{
    volatile unsigned char here;
    volatile unsigned char *at = stack_low;

    while (at + 256 < &here) *at++ = PAINT;
}

static size_t stack_used(void)
{
    const unsigned char *at = stack_low;

    while (at < stack_top && *at == PAINT) at++;
    return (size_t)(stack_top - at);
}

void report(const ocelli_model *model, ocelli_session *session)
{
    ocelli_stats stats = {0};
    ocelli_need need = {0};

    stats.size = sizeof stats, need.size = sizeof need;
    if (ocelli_get_stats(session, &stats) != OCELLI_OK) return;
    put_figure("resize", stats.resize_us / 1000, "ms");
    put_figure("encode", stats.encode_us / 1000, "ms");
    put_figure("prefill", stats.prefill_us / 1000, "ms");
    put_figure("answer", stats.generate_us / 1000, "ms");
    put_figure("prompt", stats.prompt_tokens, "tokens");
    put_figure("said", stats.answer_tokens, "tokens");
    if (ocelli_plan(model, "context=256 batch=32 image=" FRAME_SIZE, OCELLI_Z, &need) == OCELLI_OK) {
        put_figure("session-announced", need.session, "bytes");
        put_figure("session-arena", need.arena, "bytes");
        put_figure("session-kv", need.kv, "bytes");
        put_figure("session-images", need.images, "bytes");
    }
    put_figure("session-peak", stats.heap_peak, "bytes");
    put_figure("beyond", stats.beyond, "bytes");
    put_figure("stack-peak", stack_used(), "bytes");
}
