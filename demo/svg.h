/* SPDX-License-Identifier: MIT */
#ifndef DEMO_SVG_H
#define DEMO_SVG_H

#include <stdbool.h>

#include "timeline.h"

/* Draws the timelines, one below the other. False, with errno, on an error. */
bool svg_write(const char *path, const struct timeline *timelines, unsigned int n);

#endif
