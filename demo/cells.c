// SPDX-License-Identifier: MIT
#include "cells.h"

struct cell cell_of(const uint8_t *states, size_t n)
{
	uint8_t strongest = 0;
	size_t same = 0, i;

	for (i = 0; i < n; i++) {
		if (states[i] > strongest) {
			strongest = states[i];
			same = 0;
		}
		same += states[i] == strongest;
	}
	return (struct cell) { .state = strongest, .all = same == n };
}
