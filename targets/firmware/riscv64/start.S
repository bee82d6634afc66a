/* 64-bit RISC-V, as QEMU's `virt` board starts it without firmware: in machine mode, floating point off. */
    .section .start, "ax"
    .global _start
_start:
    csrr t0, mhartid
    bnez t0, 3f                     /* one hart works */
    la t0, fault
    csrw mtvec, t0
    li t0, 1 << 13                  /* mstatus.FS: initial */
    csrs mstatus, t0
    csrw fcsr, zero
    la sp, stack_top
    la t0, bss_start
    la t1, bss_end
1:  bgeu t0, t1, 2f
    sd zero, 0(t0)
    addi t0, t0, 8
    j 1b
2:
    call main
    call board_end
3:  wfi
    j 3b

    .balign 4
/* Whatever happens: code 2. */
fault:
    li a0, 2
    call board_end
