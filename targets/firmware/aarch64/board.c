/* QEMU's `virt`: a PL011, the generic timer, semihosting. */
#include "../board.h"

static volatile uint32_t *const uart = (volatile uint32_t *)0x09000000;

void board_put(char byte)
{
    while (uart[6] & 1u << 5) {} /* UARTFR.TXFF */
    uart[0] = (unsigned char)byte;
}

uint64_t board_clock_ms(void *unused)
{
    uint64_t count, frequency;

    (void)unused;
    __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(count));
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
    return count / (frequency / 1000);
}

void board_end(int code)
{
    /* SYS_EXIT: ADP_Stopped_ApplicationExit and the code. */
    uint64_t why[2] = {0x20026, (uint64_t)code};
    register uint64_t operation __asm__("x0") = 0x18;
    register uint64_t *argument __asm__("x1") = why;

    __asm__ volatile("hlt #0xf000" : : "r"(operation), "r"(argument) : "memory");
    for (;;) {}
}
