"""The same operations on a directory."""
import ctypes
import errno
import mmap
import os
import stat

C = ctypes.CDLL(None, use_errno=True)


def called(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Real:
    def __init__(self, root):
        self.root = root

    def at(self, path):
        return os.path.join(self.root, path)

    def create(self, path, mode):
        os.close(os.open(self.at(path), os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))

    def mkdir(self, path, mode):
        os.mkdir(self.at(path), mode)

    def symlink(self, target, path):
        os.symlink(target, self.at(path))

    def mkfifo(self, path, mode):
        os.mkfifo(self.at(path), mode)

    def link(self, old, new):
        os.link(self.at(old), self.at(new), follow_symlinks=False)

    def unlink(self, path):
        os.unlink(self.at(path))

    def rmdir(self, path):
        os.rmdir(self.at(path))

    def rename(self, old, new, flags):
        called(C.renameat2(-100, os.fsencode(self.at(old)), -100, os.fsencode(self.at(new)), flags))

    def write(self, path, offset, data):
        self.change(path, lambda fd: os.pwrite(fd, data, offset))

    def append(self, path, data):
        fd = os.open(self.at(path), os.O_WRONLY | os.O_APPEND)
        os.write(fd, data)
        os.close(fd)

    def punch(self, path, offset, length):
        def through_mapping(fd):
            with mmap.mmap(fd, os.fstat(fd).st_size) as mapped:
                end = min(offset + length, len(mapped))
                mapped[offset:end] = bytes(end - offset)
        if length % 2:
            return self.change(path, through_mapping)
        # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
        return self.change(path, lambda fd: called(C.fallocate(fd, 3, ctypes.c_long(offset), ctypes.c_long(length))))

    def truncate(self, path, size):
        os.truncate(self.at(path), size)

    def copy(self, source, offset, path, to, length):
        data = os.open(self.at(source), os.O_RDONLY)
        out = os.open(self.at(path), os.O_WRONLY)
        length = max(0, min(length, os.fstat(data).st_size - offset))
        done = self.copy_in_kernel(data, out, length, offset, to)
        # As cp does: between file systems, and of files whose size kernel overlayfs forgot (it keeps two of a linked file).
        os.pwrite(out, os.pread(data, length - done, offset + done), to + done)
        os.fsync(out)
        os.close(data)
        os.close(out)

    def copy_in_kernel(self, data, out, length, offset, to):
        done = 0
        try:
            while done < length:
                copied = os.copy_file_range(data, out, length - done, offset + done, to + done)
                if copied == 0:
                    break
                done += copied
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP):
                raise
        return done

    def chmod(self, path, mode):
        os.chmod(self.at(path), mode)

    def utime(self, path, nanoseconds):
        os.utime(self.at(path), ns=(nanoseconds, nanoseconds), follow_symlinks=False)

    def setxattr(self, path, name, value):
        os.setxattr(self.at(path), name, value)

    def removexattr(self, path, name):
        os.removexattr(self.at(path), name)

    def nameless(self, folder, path, data):
        fd = os.open(self.at(folder), os.O_TMPFILE | os.O_WRONLY, 0o600)
        try:
            os.write(fd, data)
            os.link('/proc/self/fd/%d' % fd, self.at(path), src_dir_fd=fd, follow_symlinks=True)
        finally:
            os.close(fd)

    def change(self, path, function):
        fd = os.open(self.at(path), os.O_RDWR)
        try:
            function(fd)
        finally:
            os.close(fd)

    def describe(self):
        lines = {}

        def walk(path, shown):
            found = os.lstat(path)
            is_directory = stat.S_ISDIR(found.st_mode)
            content, xattrs = b'', {}
            if stat.S_ISREG(found.st_mode):
                with open(path, 'rb') as file:
                    content = file.read()
            if is_directory or stat.S_ISREG(found.st_mode):
                xattrs = {name: os.getxattr(path, name) for name in os.listxattr(path)}
            target = os.readlink(path) if stat.S_ISLNK(found.st_mode) else ''
            lines[shown] = (found.st_mode, 0 if is_directory else found.st_nlink, content, target, found.st_mtime_ns, xattrs)
            if is_directory:
                for name in sorted(os.listdir(path)):
                    walk(os.path.join(path, name), shown + '/' + name)
        walk(self.root, '')
        return lines
