/* Arm's MPS2+ with the image AN500 (Cortex-M7): a CMSDK UART, SysTick, semihosting. With its start code and vectors.
 *
 * (Arm Cortex-M Prototyping System V2M-MPS2+ TRM, 4.3; Application Note AN500; Armv7-M Architecture Reference Manual, B3.) */
#include "../board.h"

/* 0: data; 4: state, bit 0: full; 8: control, bit 0: transmit; 16: divider of the clock, at least 16. */
static volatile uint32_t *const uart = (volatile uint32_t *)0x40004000;
static volatile uint32_t *const system_control = (volatile uint32_t *)0xE000E000;

/* The board's clock: 25 MHz. */
#define CLOCK 25000000u

static volatile uint32_t milliseconds;

extern uint32_t data_start[], data_end[], data_source[], bss_start[], bss_end[];

void reset(void) __attribute__((noreturn));

void board_put(char byte)
{
    while (uart[1] & 1u) {}
    uart[0] = (unsigned char)byte;
}

uint64_t board_clock_ms(void *unused)
{
    (void)unused;
    return milliseconds;
}

void board_end(int code)
{
    /* SYS_EXIT_EXTENDED: ADP_Stopped_ApplicationExit and the code. */
    uint32_t why[2] = {0x20026, (uint32_t)code};
    register uint32_t operation __asm__("r0") = 0x20;
    register uint32_t *argument __asm__("r1") = why;

    __asm__ volatile("bkpt 0xab" : : "r"(operation), "r"(argument) : "memory");
    for (;;) {}
}

static void tick(void)
{
    milliseconds++;
}

/* Whatever happens: code 2. */
static void fault(void)
{
    board_end(2);
}

void reset(void)
{
    uint32_t *to;
    const uint32_t *from = data_source;

    system_control[0xD88 / 4] |= 0xFu << 20; /* CPACR: the floating-point unit */
    __asm__ volatile("dsb; isb");
    for (to = data_start; to < data_end;) *to++ = *from++;
    for (to = bss_start; to < bss_end;) *to++ = 0;
    uart[4] = 16;
    uart[2] = 1;
    system_control[0x14 / 4] = CLOCK / 1000 - 1; /* SYST_RVR */
    system_control[0x18 / 4] = 0;                /* SYST_CVR */
    system_control[0x10 / 4] = 7;                /* SYST_CSR: the processor's clock, an interrupt, on */
    board_end(main());
}

typedef void (*vector)(void);
/* The stack; then reset, NMI, the faults, SVCall, debug, PendSV, SysTick. */
__attribute__((section(".start"), used)) static const vector vectors[16] = {
    (vector)(uintptr_t)stack_top, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, tick,
};
