# SPDX-License-Identifier: MIT
#
# Counts instructions by function, from QEMU's log of what it executes one by one, from
# each call of a function until it is back in its caller. Addresses are compared as text,
# as they are all of one length.
#   symbols   file of "ADDRESS NAME", sorted
#   unit      name of the function

function read_symbols(    line, part)
{
	while ((getline line < symbols) > 0) {
		split(line, part, " ")
		start[++n] = part[1]
		name[n] = part[2]
		if (part[2] == unit || index(part[2], unit "[") == 1)
			entry = part[1]
	}
	start[n + 1] = "g"
}

# The last symbol that begins at or before an address
function find(at,    low, high, middle)
{
	low = 0
	high = n + 1
	while (high - low > 1) {
		middle = int((low + high) / 2)
		if (start[middle] <= at)
			low = middle
		else
			high = middle
	}
	return low
}

# A call through a register goes by way of a thunk.
function find_caller(    symbol)
{
	symbol = find(last)
	return name[symbol] ~ /thunk/ ? find(before) : symbol
}

# "name[module]": whose it is
function owner(symbol)
{
	if (match(name[symbol], /\[.*\]/))
		return substr(name[symbol], RSTART + 1, RLENGTH - 2)
	return "the kernel"
}

BEGIN { FS = "/" }

/^Trace/ {
	at = $2
	if (!n)
		read_symbols()
	if (!within && at == entry) {
		within = 1
		caller = find_caller()
		calls++
	} else if (within && at >= start[caller] && at < start[caller + 1]) {
		within = 0
	}
	if (within)
		count[at]++
	before = last
	last = at
}

END {
	if (!calls) {
		print "never called: " unit
		exit 1
	}
	for (at in count) {
		symbol = find(at)
		total += count[at]
		sum[symbol] += count[at]
		share[owner(symbol)] += count[at]
		if (at == start[symbol])
			entered[symbol] = count[at]
	}
	printf "%.0f instructions a call of %s, of %d calls:\n", total / calls, unit, calls
	for (who in share)
		printf "%10.1f  %s\n", share[who] / calls, who
	print "those of a function, its calls, its name:"
	for (symbol in sum)
		printf "%10.1f %8.2f  %s\n", sum[symbol] / calls, entered[symbol] / calls,
			name[symbol] | "sort -rn | head -n 60"
}
