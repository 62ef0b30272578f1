/* SPDX-License-Identifier: MIT */
/*
 * Included before everything that sparse reads: stand-ins for what the kernel's
 * headers use and sparse 0.6.4, the one in trixie, does not know. It would stop
 * at MODULE_LICENSE() and be of no use after that.
 */
#define __typeof_unqual__ __typeof__
#define __builtin_strlen(s) (sizeof(s) - 1)
