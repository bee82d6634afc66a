/* AArch64, as QEMU's `virt` board starts it: at EL1, memory management off, floating point trapped.
 *
 * Memory management is turned on with two blocks of a gigabyte, one to one: below 0x4000_0000 devices, above it memory.
 * Without it all memory is of the kind of devices: not cached, and without the exclusive accesses that Rust's atomics
 * are made of. */
    .section .start, "ax"
    .global _start
_start:
    ldr x0, =stack_top
    mov sp, x0
    mov x0, #(3 << 20)              /* CPACR_EL1.FPEN: no traps */
    msr cpacr_el1, x0
    ldr x0, =vectors
    msr vbar_el1, x0

    ldr x0, =bss_start
    ldr x1, =bss_end
1:  cmp x0, x1
    b.hs 2f
    stp xzr, xzr, [x0], #16
    b 1b
2:
    ldr x0, =blocks
    msr ttbr0_el1, x0
    ldr x0, =0xff00                 /* kind 0: device; kind 1: memory, written back */
    msr mair_el1, x0
    ldr x0, =0x100803519            /* 39 bits of addresses, 4 kB granule, cached walks, 36 bits out, no second table */
    msr tcr_el1, x0
    isb
    mrs x0, sctlr_el1
    mov x1, #0x1005                 /* memory management, data and instruction caches */
    orr x0, x0, x1
    msr sctlr_el1, x0
    isb
    bl main
    bl board_end

/* Whatever happens: code 2. */
    .balign 2048
vectors:
    .rept 16
    mov w0, #2
    bl board_end
    .balign 128
    .endr

    .section .blocks, "a"
    .balign 4096
blocks:
    .quad 0x0000000000000401        /* block, accessed, kind 0 */
    .quad 0x0000000040000705        /* block, accessed, shared within, kind 1 */
    .fill 510, 8, 0
