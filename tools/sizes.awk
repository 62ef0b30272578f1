# SPDX-License-Identifier: MIT
#
# Lengths of functions (the lines between the braces, which in kernel style stand
# in the first column) and of files: by tree, median at most 15 lines, nine in ten
# at most 50, none over 80. Files over 700 are named.

function tree_of(file) { return substr(file, 1, index(file, "/") - 1) }

function close_file() {
	if (file != "" && lines > 700)
		print "note: " file ": " lines " lines"
}

function fail(text) { print text; failed = 1 }

FNR == 1 { close_file(); file = FILENAME; body = 0 }
{ lines = FNR }

/^[a-zA-Z_].*\(/ && !body { head = $0 }

/^\{[ \t]*$/ { body = FNR }

/^\}/ && body {
	tree = tree_of(FILENAME)
	n = ++count[tree]
	len[tree, n] = FNR - body - 1
	if (len[tree, n] > 80)
		fail(FILENAME ":" body ": " len[tree, n] " lines, at most 80: " head)
	if (len[tree, n] > 50)
		long[tree] = long[tree] "    " FILENAME ":" body ": " len[tree, n] " lines: " head "\n"
	body = 0
}

END {
	close_file()
	for (tree in count) {
		n = count[tree]
		for (i = 1; i <= n; i++)
			seen[tree, len[tree, i]]++
		sum = 0; median = -1; ninth = -1; max = 0
		for (l = 0; l <= 10000 && sum < n; l++) {
			sum += seen[tree, l]
			if (median < 0 && sum * 2 >= n) median = l
			if (ninth < 0 && sum * 10 >= n * 9) ninth = l
			if (seen[tree, l]) max = l
		}
		print "note: " tree ": " n " functions, median " median ", 90 % " ninth ", longest " max
		if (median > 15)
			fail(tree ": the median function has " median " lines, at most 15")
		if (ninth > 50)
			fail(tree ": more than one function in ten is over 50 lines:\n" long[tree])
	}
	exit failed
}
