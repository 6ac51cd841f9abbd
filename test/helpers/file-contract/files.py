"""Contents: writing, holes, space, mappings, copies, locks."""
import ctypes
import errno
import fcntl
import mmap
import os
import resource
import select
import signal
import stat
import subprocess

from contract import BARE, LAYER, C, check, contract, refused, same

GiB = 1 << 30
MODES = {'allocate': 0, 'keep size': 1, 'punch hole': 3, 'zero range': 0x10, 'zero range, keep size': 0x11,
         'collapse': 8, 'insert': 0x20}


@contract('O_TMPFILE: a file without a name, that may get one, or may not')
def tmpfile():
    fd = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o640)
    os.write(fd, b'nameless')
    same(os.fstat(fd).st_nlink, 0)
    os.link('/proc/self/fd/%d' % fd, 'named', src_dir_fd=fd, follow_symlinks=True)
    same((open('named', 'rb').read(), os.stat('named').st_nlink, os.stat('named').st_ino), (b'nameless', 1, os.fstat(fd).st_ino))
    exclusive = os.open('dir', os.O_TMPFILE | os.O_RDWR | os.O_EXCL, 0o600)
    refused(errno.ENOENT, os.link, '/proc/self/fd/%d' % exclusive, 'never', src_dir_fd=exclusive, follow_symlinks=True)
    refused(errno.ENOTDIR, os.open, 'file', os.O_TMPFILE | os.O_RDWR)


@contract('copy_file_range: from a lower file, within one file, past the end')
def copy_file_range():
    source, target = os.open('file', os.O_RDONLY), os.open('copy', os.O_RDWR | os.O_CREAT)
    if LAYER == 'kernel':  # The lower file lies on another file system, between which programs copy by themselves.
        refused(errno.EXDEV, os.copy_file_range, source, target, 5)
        os.close(os.open('file', os.O_RDWR))
        source = os.open('file', os.O_RDONLY)
    same(os.copy_file_range(source, target, 5, 1, 3), 5)
    same(os.pread(target, 100, 0), b'\0\0\0ower\n')
    same(os.copy_file_range(source, target, 100, 6, 0), 0)
    lower = os.open('hard', os.O_RDWR)
    same(os.copy_file_range(lower, lower, 2, 0, 8), 2)
    same(os.pread(lower, 100, 0), b'contentsco')


def fallocated(directory, mode):
    path = os.path.join(directory, 'fallocated')
    with open(path, 'wb') as file:
        file.write(b''.join(bytes([65 + page]) * 4096 for page in range(8)))
    fd = os.open(path, os.O_RDWR)
    result = C.fallocate(fd, mode, ctypes.c_long(4096), ctypes.c_long(8192))
    code = 0 if result == 0 else errno.errorcode[ctypes.get_errno()]
    content = os.pread(fd, 1 << 20, 0)
    past = C.fallocate(fd, mode, ctypes.c_long(1 << 20), ctypes.c_long(4096))
    past = 0 if past == 0 else errno.errorcode[ctypes.get_errno()]
    size = os.fstat(fd).st_size
    os.close(fd)
    return code, content, past, size


@contract('fallocate: every mode that the backing file system has, with the same result')
def fallocate():
    for name, mode in MODES.items():
        if LAYER == 'fuse' and name in ('collapse', 'insert'):  # Refused by the kernel for FUSE (fuse_file_fallocate).
            same(fallocated('.', mode)[0], 'ENOTSUP')
            continue
        expected = fallocated(BARE, mode)
        got = fallocated('.', mode)
        check(got == expected, '%s: %r, not %r' % (name, (got[0], got[2], got[3]), (expected[0], expected[2], expected[3])))
    lower = os.open('file', os.O_RDWR)
    os.posix_fallocate(lower, 0, 100000)
    same((os.fstat(lower).st_size, os.pread(lower, 8, 0)), (100000, b'lower\n\0\0'))


@contract('SEEK_DATA and SEEK_HOLE: of a lower file, and of the same when it is copied up')
def seek():
    def look(fd):
        size = os.fstat(fd).st_size
        data = os.lseek(fd, 0, os.SEEK_DATA)
        end = os.lseek(fd, data, os.SEEK_HOLE)
        return data <= 1 << 20, end == size, size
    fd = os.open('sparse', os.O_RDONLY)
    same(look(fd), (True, True, (1 << 20) + 3))
    refused(errno.ENXIO, os.lseek, fd, 2 << 20, os.SEEK_DATA)
    fd = os.open('sparse', os.O_RDWR)
    os.pwrite(fd, b'END', 1 << 20)
    same(look(fd), (True, True, (1 << 20) + 3))
    made = os.open('holes', os.O_RDWR | os.O_CREAT)
    os.pwrite(made, b'x', 4 << 20)
    os.ftruncate(made, 8 << 20)
    same((os.lseek(made, 0, os.SEEK_HOLE), os.lseek(made, 5 << 20, os.SEEK_HOLE)), (0, 5 << 20))
    check(os.lseek(made, 0, os.SEEK_DATA) == 4 << 20, 'where the data are')


@contract('sparse files stay sparse when they are copied up')
def sparse_copy_up():
    with open('sparse', 'r+b') as file:
        file.write(b'x')
    check(os.stat('sparse').st_blocks < 512, 'blocks: %d' % os.stat('sparse').st_blocks)
    with open('sparse', 'rb') as file:
        same((file.read(2), file.seek(1 << 20) and file.read()), (b'x\0', b'end'))


@contract('files over 4 GiB')
def large():
    fd = os.open('large', os.O_RDWR | os.O_CREAT)
    os.pwrite(fd, b'far', 5 * GiB)
    same((os.fstat(fd).st_size, os.pread(fd, 10, 5 * GiB), os.pread(fd, 2, 4 * GiB)), (5 * GiB + 3, b'far', b'\0\0'))
    check(os.fstat(fd).st_blocks < 1000, 'it is sparse')
    same(os.lseek(fd, 0, os.SEEK_DATA), 5 * GiB)
    with mmap.mmap(fd, 4099, offset=5 * GiB - 4096) as mapped:
        same(mapped[4096:4099], b'far')
        mapped[4094:4096] = b'so'
    same(os.pread(fd, 5, 5 * GiB - 2), b'sofar')
    os.ftruncate(fd, 6 * GiB)
    os.ftruncate(fd, 4 * GiB + 1)
    same(os.fstat(fd).st_size, 4 * GiB + 1)


@contract('mappings are shared, by processes and with read and write')
def mappings():
    fd = os.open('mapped', os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, 3 * 4096)
    mapped = mmap.mmap(fd, 3 * 4096)
    mapped[5000:5003] = b'map'
    same(os.pread(fd, 3, 5000), b'map')
    os.pwrite(fd, b'fd!', 9000)
    same(mapped[9000:9003], b'fd!')
    if os.fork() == 0:
        mapped[0:5] = b'child'
        os._exit(0)
    os.wait()
    same(mapped[0:5], b'child')
    mapped.flush()
    # What was cut off comes back as zeros.
    os.ftruncate(fd, 5001)
    os.ftruncate(fd, 3 * 4096)
    same(os.pread(fd, 4, 5000), b'm\0\0\0')
    lower = os.open('file', os.O_RDWR)
    with mmap.mmap(lower, 6) as over:
        over[0:5] = b'upper'
    same(open('file').read(), 'upper\n')
    private = mmap.mmap(os.open('file', os.O_RDONLY), 6, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    private[0:1] = b'U'
    same(open('file').read(), 'upper\n')


@contract('programs are executed, and cannot be written to meanwhile')
def execute():
    same(subprocess.run(['./busybox', 'echo', 'ran'], capture_output=True).stdout, b'ran\n')
    with open('busybox', 'ab'):
        pass
    child = subprocess.Popen(['./busybox', 'sleep', '30'])
    refused(errno.ETXTBSY, os.open, 'busybox', os.O_WRONLY)
    child.kill()
    child.wait()
    os.chmod('busybox', 0o644)
    refused(errno.EACCES, os.execv, './busybox', ['busybox', 'true'])


@contract('a file that is removed while it is open lives on; so does a directory')
def unlinked():
    for name in ('file', 'new'):
        fd = os.open(name, os.O_RDWR | os.O_CREAT)
        os.unlink(name)
        os.pwrite(fd, b'held', 10)
        os.ftruncate(fd, 12)
        os.fchmod(fd, 0o600)
        same((os.pread(fd, 20, 10), os.fstat(fd).st_nlink, stat.S_IMODE(os.fstat(fd).st_mode)), (b'he', 0, 0o600))
    over = os.open('hard', os.O_RDONLY)
    with open('other', 'w') as file:
        file.write('other')
    os.rename('other', 'hard')
    same((os.read(over, 100), open('hard').read()), (b'contents', 'other'))
    directory = os.open('emptied', os.O_RDONLY | os.O_DIRECTORY)
    os.rmdir('emptied')
    same(os.listdir(directory), [])
    refused(errno.ENOENT, os.open, 'in-removed', os.O_CREAT | os.O_WRONLY, dir_fd=directory)


@contract('append: every write goes to the end, whoever else writes')
def append():
    one, two = os.open('file', os.O_WRONLY | os.O_APPEND), os.open('file', os.O_WRONLY | os.O_APPEND)
    for fd, text in ((one, b'1'), (two, b'2'), (one, b'3')):
        os.write(fd, text)
    same(open('file', 'rb').read(), b'lower\n123')
    children = []
    for letter in b'abcd':
        pid = os.fork()
        if pid == 0:
            fd = os.open('together', os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            for _ in range(100):
                os.write(fd, bytes([letter]) * 50 + b'\n')
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    lines = open('together', 'rb').read().split(b'\n')[:-1]
    same((len(lines), {len(set(line)) for line in lines}), (400, {1}))


@contract('locks: flock and fcntl hold between processes and go with their descriptor')
def locks():
    for path in ('file', 'new-lock'):
        fd = os.open(path, os.O_RDWR | os.O_CREAT)
        other = os.open(path, os.O_RDWR)
        fcntl.flock(fd, fcntl.LOCK_EX)
        refused(errno.EAGAIN, fcntl.flock, other, fcntl.LOCK_SH | fcntl.LOCK_NB)
        os.close(fd)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(other, fcntl.LOCK_EX, 10, 0)

        def try_lock(start):
            pid = os.fork()
            if pid == 0:
                try:
                    fcntl.lockf(os.open(path, os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB, 5, start)
                    os._exit(0)
                except OSError as error:
                    os._exit(error.errno)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        check(try_lock(5) in (errno.EAGAIN, errno.EACCES), 'an overlapping lock is refused')
        same(try_lock(20), 0)
        fcntl.lockf(other, fcntl.LOCK_UN, 10, 0)
        same(try_lock(5), 0)


@contract('poll: files are always ready, a fifo when it is')
def poll():
    poller = select.poll()
    fd = os.open('file', os.O_RDWR)
    poller.register(fd, select.POLLIN | select.POLLOUT)
    same(poller.poll(0), [(fd, select.POLLIN | select.POLLOUT)])
    poller.unregister(fd)
    reader = os.open('fifo', os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open('fifo', os.O_WRONLY)
    poller.register(reader, select.POLLIN)
    same(poller.poll(0), [])
    os.write(writer, b'x')
    same(poller.poll(1000), [(reader, select.POLLIN)])
    if LAYER != 'fuse':  # Of which the kernel says that any file may be polled.
        refused(errno.EPERM, select.epoll().register, fd)


@contract('fsync, fdatasync, syncfs and sync come back, of files and directories')
def syncing():
    fd = os.open('file', os.O_RDWR)
    os.write(fd, b'x')
    for each in (fd, os.open('dir', os.O_RDONLY), os.open('unwritten', os.O_RDWR | os.O_CREAT), os.open('hard', os.O_RDONLY)):
        os.fsync(each)
        os.fdatasync(each)
        same(C.syncfs(each), 0)
    os.sync()


@contract('sendfile and splice, from lower files and to new ones')
def sendfile():
    source, target = os.open('file', os.O_RDONLY), os.open('sent', os.O_RDWR | os.O_CREAT)
    same(os.sendfile(target, source, 0, 100), 6)
    read, write = os.pipe()
    same(os.splice(source, write, 100, offset_src=1), 5)
    same(os.splice(read, target, 5, offset_dst=6), 5)
    same(os.pread(target, 100, 0), b'lower\nower\n')


@contract('open: O_TRUNC, O_EXCL, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_DIRECT, O_SYNC')
def opening():
    os.close(os.open('file', os.O_WRONLY | os.O_TRUNC))
    same(os.stat('file').st_size, 0)
    refused(errno.EEXIST, os.open, 'hard', os.O_CREAT | os.O_EXCL)
    refused(errno.ENOTDIR, os.open, 'hard', os.O_DIRECTORY)
    refused(errno.ELOOP, os.open, 'link', os.O_NOFOLLOW)
    refused(errno.EISDIR, os.open, 'dir', os.O_WRONLY)
    handle = os.open('hard', os.O_PATH)
    refused(errno.EBADF, os.read, handle, 1)
    same(open('/proc/self/fd/%d' % handle).read(), 'contents')
    fd = os.open('synced', os.O_RDWR | os.O_CREAT | os.O_SYNC)
    same(os.write(fd, b'now'), 3)
    direct = os.open('direct', os.O_RDWR | os.O_CREAT | os.O_DIRECT)
    page = mmap.mmap(-1, 4096)
    page[0:4] = b'page'
    same((os.write(direct, page), os.pread(os.open('direct', os.O_RDONLY), 4, 0)), (4096, b'page'))


@contract('a limit of the file size is kept')
def size_limit():
    if os.fork() == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        fd = os.open('file', os.O_RDWR)
        try:
            same(os.pwrite(fd, b'0123456789abc', 4), 6)
            refused(errno.EFBIG, os.pwrite, fd, b'x', 10)
            refused(errno.EFBIG, os.ftruncate, fd, 11)
            os._exit(0)
        except AssertionError:
            os._exit(1)
    same(os.waitstatus_to_exitcode(os.wait()[1]), 0)


@contract('times: nanoseconds, now, left alone, and what reading and writing do to them')
def times():
    for path in ('file', 'new', 'dir', 'link'):
        if path == 'new':
            open(path, 'w').close()
        os.utime(path, ns=(123456789, 1234567890123456789), follow_symlinks=False)
        found = os.lstat(path)
        same((found.st_atime_ns, found.st_mtime_ns), (123456789, 1234567890123456789))
    before = os.stat('file').st_ctime_ns
    os.utime('file', ns=(0, -1500000000))
    same(os.stat('file').st_mtime_ns, -1500000000)
    os.chmod('file', 0o600)
    check(os.stat('file').st_ctime_ns >= before, 'chmod changes the time of change')
    with open('file', 'a') as file:
        file.write('x')
    check(abs(os.stat('file').st_mtime_ns - os.stat('file').st_ctime_ns) < 10**9, 'a write is a change of contents')
    os.utime('dir', ns=(0, 0))
    open('dir/made', 'w').close()
    check(os.stat('dir').st_mtime_ns > 0, 'a new name changes the directory')
