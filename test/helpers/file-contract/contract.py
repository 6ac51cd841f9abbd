"""
What programs may rely on of a file system, as functions that try it.

    python3 contract.py fill DIR                 makes the lower tree, with a folder for each function
    python3 contract.py try LOWER BARE LAYER     runs each function in its folder of LOWER, one line each: `ok NAME` or
                                                 `not ok NAME: what was found`; BARE is a folder of a file system to compare
                                                 with, LAYER is kernel, fuse or bare. Where that was done before, it is not
                                                 done again. Then a line for each file, with all that is to be seen of it.

What kernel overlayfs does otherwise in a user namespace is said, with the reason, where it is tried.
"""
import ctypes
import errno
import hashlib
import os
import shutil
import stat
import sys
import traceback

C = ctypes.CDLL(None, use_errno=True)
LOWER, BARE, LAYER = (sys.argv[2:5] + ['', '', ''])[:3] if sys.argv[1:2] == ['try'] else ('', '', '')
functions = {}


def contract(promise):
    def register(function):
        functions[function.__name__] = (promise, function)
        return function
    return register


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def same(found, expected):
    check(found == expected, '%r, not %r' % (found, expected))


def refused(code, function, *arguments, **options):
    try:
        function(*arguments, **options)
    except OSError as error:
        return check(error.errno == code, '%s is refused with %s, not %s' % (function.__name__, errno.errorcode[error.errno], errno.errorcode[code]))
    raise AssertionError('%s%r is not refused with %s' % (function.__name__, arguments, errno.errorcode[code]))


def rename(old, new, flags=0):
    if C.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), old)


def has_ids():
    """Whether the user namespace maps other users."""
    return open('/proc/self/uid_map').read().split()[2] != '1' or len(open('/proc/self/uid_map').readlines()) > 1


def as_user(uid, function):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            function()
            os._exit(0)
        except BaseException as error:
            os.write(write, ('as user %d: %s' % (uid, error)).encode())
            os._exit(1)
    os.close(write)
    status = os.waitpid(pid, 0)[1]
    message = os.read(read, 10000).decode()
    os.close(read)
    check(status == 0, message)


def put(path, content, mode=0o644):
    with open(path, 'w') as file:
        file.write(content)
    os.chmod(path, mode)


def fill(folder):
    """The lower files that a function finds in its folder."""
    os.makedirs(folder)
    os.chdir(folder)
    put('file', 'lower\n')
    put('hard', 'contents')
    os.link('hard', 'hard2')
    os.symlink('file', 'link')
    os.mkfifo('fifo')
    put('setuid', '', 0o4755)
    os.makedirs('dir/sub')
    put('dir/sub/deep', 'deep')
    os.mkdir('emptied')
    os.mkdir('tree')
    for number in range(50):
        put('tree/f%d' % number, str(number))
    with open('sparse', 'wb') as file:
        file.seek(1 << 20)
        file.write(b'end')
    shutil.copy('/bin/busybox' if os.path.exists('/bin/busybox') else '/usr/bin/busybox', 'busybox')
    os.chmod('busybox', 0o755)
    put(b'\xff\xfe odd', 'odd')


def fill_for_model(folder):
    """A lower tree without hard links, which random operations go over."""
    for path in ('', 'sub/deep', 'a/b/c', 'dd'):
        os.makedirs(os.path.join(folder, path), exist_ok=True)
        for number in range(5):
            put(os.path.join(folder, path, 'file%d' % number), 'lower %d ' % number * number * 700)
    os.symlink('file1', os.path.join(folder, 'sub/link'))
    os.mkfifo(os.path.join(folder, 'sub/fifo'))
    with open(os.path.join(folder, 'sub/sparse'), 'wb') as file:
        file.seek(1 << 20)
        file.write(b'end')


def main():
    import files  # noqa: F401
    import names  # noqa: F401
    import permissions  # noqa: F401
    if sys.argv[1] == 'fill':
        sys.argv[2] = os.path.abspath(sys.argv[2])
        for name in functions:
            fill(os.path.join(sys.argv[2], name))
        fill_for_model(os.path.join(sys.argv[2], '..', 'model'))
        return
    marker = os.path.join(LOWER, 'tried')
    if not os.path.exists(marker):
        try_all()
        put(marker, '')
    describe(LOWER)


def describe(folder):
    os.chdir(folder)
    for path, _, names in os.walk('.'):
        for each in sorted(names) + ['.']:
            each = os.path.join(path, each)
            found = os.lstat(each)
            is_file = stat.S_ISREG(found.st_mode) and found.st_size < 1 << 24
            content = hashlib.sha256(open(each, 'rb').read()).hexdigest() if is_file else ''
            print('file', repr(each), found.st_ino, oct(found.st_mode), found.st_nlink, found.st_uid, found.st_gid,
                  found.st_size, found.st_mtime_ns, found.st_rdev, content)


def try_all():
    for name, (_, function) in functions.items():
        os.chdir(os.path.join(LOWER, name))
        os.umask(0o022)
        try:
            function()
            print('ok', name, flush=True)
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[1:2]
            print('not ok %s: %s (line %s)' % (name, error, where[0].lineno if where else '?'), flush=True)


if __name__ == '__main__':
    sys.modules['contract'] = sys.modules['__main__']
    main()
