"""
    one_file.py SEED STEPS SECONDS PATH

Does what fsx does, random reads, writes, truncations, mappings, holes, allocations and copies on one file, until STEPS operations
or SECONDS are over (0: no limit), and compares with memory. Prints `same` at the end, or the first difference and what led to it.
"""
import ctypes
import errno
import mmap
import os
import random
import sys
import time

C = ctypes.CDLL(None, use_errno=True)
LIMIT = 1 << 20


class OneFile:
    def __init__(self, seed, path):
        self.random = random.Random(seed)
        self.path = path
        self.want = bytearray(open(path, 'rb').read()) if os.path.exists(path) else bytearray()
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self.log = []

    def put(self, at, data):
        self.want.extend(bytes(max(0, at - len(self.want))))
        self.want[at:at + len(data)] = data

    def pwrite(self, at, size, data):
        os.pwrite(self.fd, data, at)
        self.put(at, data)

    def append(self, at, size, data):
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        os.write(fd, data)
        os.close(fd)
        self.put(len(self.want), data)

    def pread(self, at, size, data):
        self.check(os.pread(self.fd, size, at) == bytes(self.want[at:at + size]), 'read')

    def truncate(self, at, size, data):
        length = self.random.choice([0, at, at // 2, len(self.want) + size])
        os.ftruncate(self.fd, length)
        del self.want[length:]
        self.want.extend(bytes(length - len(self.want)))

    def map_write(self, at, size, data):
        if at < len(self.want):
            with mmap.mmap(self.fd, len(self.want)) as mapped:
                data = data[:len(self.want) - at]
                mapped[at:at + len(data)] = data
            self.put(at, data)

    def map_read(self, at, size, data):
        if self.want:
            with mmap.mmap(self.fd, len(self.want), prot=mmap.PROT_READ) as mapped:
                self.check(mapped[at:at + size] == bytes(self.want[at:at + size]), 'mapped read')

    def space(self, mode, at, size):
        if C.fallocate(self.fd, mode, ctypes.c_long(at), ctypes.c_long(size)) == 0:
            return True
        self.check(ctypes.get_errno() == errno.EOPNOTSUPP, 'fallocate %d: %s' % (mode, os.strerror(ctypes.get_errno())))
        return False

    def punch(self, at, size, data):
        # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
        if self.space(3, at, size):
            self.want[at:at + size] = bytes(max(0, min(size, len(self.want) - at)))

    def zero(self, at, size, data):
        # FALLOC_FL_ZERO_RANGE
        if self.space(0x10, at, size):
            self.put(at, bytes(size))

    def allocate(self, at, size, data):
        if self.space(0, at, size):
            self.want.extend(bytes(max(0, at + size - len(self.want))))

    def copy(self, at, size, data):
        # Within one file, not onto itself.
        to = self.random.randrange(LIMIT)
        size = min(size, max(0, len(self.want) - at), abs(to - at))
        if size:
            try:
                done = os.copy_file_range(self.fd, self.fd, size, at, to)
            except OSError as error:
                self.check(error.errno in (errno.EXDEV, errno.EOPNOTSUPP), 'copy_file_range: %s' % error)
                return
            self.put(to, bytes(self.want[at:at + done]))

    def sync_and_reopen(self, at, size, data):
        os.fsync(self.fd)
        os.close(self.fd)
        self.fd = os.open(self.path, os.O_RDWR)
        if self.random.random() < 0.3:
            os.posix_fadvise(self.fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def holes(self, at, size, data):
        """What is no data reads as zeros."""
        position = 0
        while position < len(self.want):
            try:
                start = os.lseek(self.fd, position, os.SEEK_DATA)
            except OSError:
                start = len(self.want)
            self.check(not any(self.want[position:start]), 'a hole where there are data')
            position = os.lseek(self.fd, start, os.SEEK_HOLE) if start < len(self.want) else start

    def check(self, condition, what):
        if not condition:
            raise AssertionError(what)

    def step(self):
        choose = self.random.choice
        at = choose([self.random.randrange(max(1, len(self.want))), self.random.randrange(LIMIT)])
        at = choose([at, at & ~4095])
        size = choose([self.random.randrange(1, 200), self.random.randrange(1, 70000), 4096])
        kind = choose([self.pwrite, self.pwrite, self.append, self.pread, self.pread, self.truncate, self.map_write, self.map_read,
                       self.punch, self.zero, self.allocate, self.copy, self.sync_and_reopen, self.holes])
        self.log.append((kind.__name__, at, size, len(self.want)))
        kind(at, size, self.random.randbytes(size))
        if len(self.want) > 2 * LIMIT:
            os.ftruncate(self.fd, LIMIT // 2)
            del self.want[LIMIT // 2:]
        self.check(os.fstat(self.fd).st_size == len(self.want), 'size %d, not %d' % (os.fstat(self.fd).st_size, len(self.want)))


def main():
    seed, steps, seconds, path = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    file = OneFile(seed, path)
    end = time.monotonic() + seconds if seconds else float('inf')
    count = 0
    try:
        while (steps == 0 or count < steps) and time.monotonic() < end:
            file.step()
            count += 1
            if count % 500 == 0:
                file.check(open(path, 'rb').read() == bytes(file.want), 'contents')
        file.check(open(path, 'rb').read() == bytes(file.want), 'contents')
    except (AssertionError, OSError) as error:
        print('seed %d, operation %d: %s' % (seed, count + 1, error))
        for each in file.log[-10:]:
            print('   ', each)
        sys.exit(1)
    print('same')


main()
