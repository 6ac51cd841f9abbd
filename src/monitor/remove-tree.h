/* Removing trees of any depth, with hostile names, links and modes in them. */
static int is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* Removes one entry that is no directory with something in it. A mount point is -EBUSY, before all else. */
static s64 remove_entry(s64 folder, const char *name)
{
	s64 result = sys(unlinkat, folder, name, 0);
	return result == -EISDIR ? sys(unlinkat, folder, name, AT_REMOVEDIR) : result;
}

/*
 * Opens a directory below to empty it. One that may not be read or written is made so: only a directory gives EACCES
 * here, for a link is refused as such (ELOOP, ENOTDIR) before its permissions are looked at.
 */
static s64 open_folder(s64 above, const char *name)
{
	s64 fd = sys(openat, above, name, O_FOLDER);
	if (fd == -EACCES && sys(fchmodat, above, name, 0700) == 0) return sys(openat, above, name, O_FOLDER);
	if (fd >= 0) sys(fchmod, fd, 0700); /* the entries of a read-only one could not be taken out */
	return fd;
}

/*
 * Empties a directory with a constant number of fds, however deep the tree: a directory that is not empty is moved up
 * beside the others and emptied in its turn. Never follows a link; a file system mounted below is left alone (EBUSY).
 */
static s64 remove_tree(s64 top)
{
	static u8 entries[4096] __attribute__((aligned(8)));
	static u8 inner[4096] __attribute__((aligned(8)));
	char name[24];
	u64 moved = 0;
	sys(fchmod, top, 0700);
	for (;;) {
		s64 progress = 0, failure = 0, n, m;
		sys(lseek, top, 0, 0);
		while ((n = sys(getdents64, top, entries, sizeof entries)) > 0)
			for (s64 at = 0; at < n; at += *(u16 *)(entries + at + 16)) {
				char *entry = (char *)entries + at + 19;
				if (is_dots(entry)) continue;
				s64 result = remove_entry(top, entry);
				if (result == 0) {
					progress = 1;
					continue;
				}
				/* Only a directory with something in it is worth a look inside; what is mounted is not ours. */
				s64 child = result == -ENOTEMPTY || result == -EEXIST ? open_folder(top, entry) : result;
				if (child < 0) {
					failure = child;
					continue;
				}
				while ((m = sys(getdents64, child, inner, sizeof inner)) > 0)
					for (s64 in = 0; in < m; in += *(u16 *)(inner + in + 16)) {
						char *below = (char *)inner + in + 19;
						if (is_dots(below)) continue;
						s64 left = remove_entry(child, below);
						if (left == -ENOTEMPTY || left == -EEXIST) {
							/* A directory that may not be written cannot be given another parent. */
							s64 inside = open_folder(child, below);
							if (inside >= 0) sys(close, inside);
							do append_number(append(name, "~"), moved++);
							while ((left = sys(renameat2, child, below, top, name, 1 /* NOREPLACE */)) == -EEXIST);
						}
						if (left == 0) progress = 1;
						else failure = left;
					}
				sys(close, child);
				result = sys(unlinkat, top, entry, AT_REMOVEDIR);
				if (result == 0) progress = 1;
				else if (failure == 0) failure = result;
			}
		if (n < 0) return n;
		if (!progress) return failure;
	}
}
