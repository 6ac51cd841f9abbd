"""Names: renames, links, directories, numbers, special files."""
import errno
import os
import shutil
import socket
import stat

from contract import LAYER, LOWER, check, contract, refused, rename, same

NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4


@contract('renameat2 NOREPLACE')
def rename_noreplace():
    refused(errno.EEXIST, rename, 'file', 'hard', NOREPLACE)
    refused(errno.EEXIST, rename, 'file', 'dir', NOREPLACE)
    rename('file', 'fresh', NOREPLACE)
    same((open('fresh').read(), os.path.exists('file')), ('lower\n', False))
    os.unlink('hard')
    rename('fresh', 'hard', NOREPLACE)
    same(open('hard').read(), 'lower\n')


@contract('renameat2 EXCHANGE: of files, of a file and a directory, of lower and new ones')
def rename_exchange():
    with open('new', 'w') as file:
        file.write('new')
    rename('file', 'new', EXCHANGE)
    same((open('file').read(), open('new').read()), ('new', 'lower\n'))
    os.mkdir('made')
    rename('made', 'hard', EXCHANGE)
    same((os.path.isdir('hard'), open('made').read(), os.stat('made').st_nlink), (True, 'contents', 2 if LAYER != 'kernel' else os.stat('made').st_nlink))
    refused(errno.ENOENT, rename, 'made', 'absent', EXCHANGE)
    refused(errno.EINVAL, rename, 'made', 'hard', EXCHANGE | NOREPLACE)
    if LAYER == 'kernel':  # Without redirect_dir, lower directories stay where they are (overlayfs.rst).
        return
    rename('dir', 'made', EXCHANGE)
    same((open('made/sub/deep').read(), open('dir').read()), ('deep', 'contents'))


@contract('renameat2 WHITEOUT leaves a whiteout behind')
def rename_whiteout():
    if LAYER == 'kernel':  # ovl_rename() knows only the other two flags.
        return refused(errno.EINVAL, rename, 'file', 'moved', WHITEOUT)
    if LAYER == 'bare':
        return None
    rename('file', 'moved', WHITEOUT)
    found = os.lstat('file')
    same((open('moved').read(), stat.S_ISCHR(found.st_mode), found.st_rdev), ('lower\n', True, 0))


@contract('a directory of a lower layer is renamed with all that is in it, and nothing is copied')
def rename_directory():
    if LAYER == 'kernel':  # redirect_dir needs trusted xattrs; mv then copies, as it does between file systems.
        refused(errno.EXDEV, os.rename, 'tree', 'moved')
        shutil.move('tree', 'moved')
    else:
        inode = os.stat('tree/f7').st_ino
        os.rename('tree', 'moved')
        same(os.stat('moved/f7').st_ino, inode)
    same((len(os.listdir('moved')), open('moved/f7').read(), os.path.exists('tree')), (50, '7', False))
    os.mkdir('tree')
    same(os.listdir('tree'), [])
    os.unlink('moved/f7')
    with open('moved/f8', 'w') as file:
        file.write('changed')
    os.mkdir('a')
    os.rename('moved', 'a/again') if LAYER != 'kernel' else shutil.move('moved', 'a/again')
    same((len(os.listdir('a/again')), open('a/again/f8').read()), (49, 'changed'))


@contract('rename over what is there, and what cannot be')
def rename_over():
    os.rename('file', 'hard')
    same((open('hard').read(), open('hard2').read()), ('lower\n', 'contents'))
    os.mkdir('made')
    os.rename('made', 'emptied')
    refused(errno.ENOTEMPTY, rename, 'emptied', 'tree')
    refused(errno.EISDIR, rename, 'hard', 'emptied')
    refused(errno.ENOTDIR, rename, 'emptied', 'hard')
    refused(errno.EINVAL, rename, 'emptied', 'emptied/below')
    refused(errno.ENOENT, rename, 'absent', 'x')
    os.link('hard', 'same')
    if LAYER == 'kernel':  # ovl_rename() finds the second name stale, over any lower layer.
        return
    os.rename('hard', 'same')
    check(os.path.exists('hard'), 'two names of one file stay')


@contract('hard links of a lower file are one file before and after it is copied up')
def hard_links():
    inode = os.stat('hard').st_ino
    same((os.stat('hard2').st_ino, os.stat('hard').st_nlink), (inode, 2))
    with open('hard', 'a') as file:
        file.write(' more')
    if LAYER != 'kernel':  # There an index is needed, which only the real root may have (ovl_can_decode_fh).
        same((open('hard2').read(), os.stat('hard2').st_ino, os.stat('hard').st_nlink), ('contents more', inode, 2))
    os.link('hard', 'third')
    same(os.stat('third').st_ino, os.stat('hard').st_ino)
    links = os.stat('hard').st_nlink
    os.unlink('hard')
    same((open('third').read(), os.stat('third').st_nlink), ('contents more', links - 1))
    refused(errno.EPERM, os.link, 'dir', 'linked')
    os.link('link', 'link2', follow_symlinks=False)
    same((os.readlink('link2'), os.lstat('link2').st_nlink), ('file', 2))


@contract('inode numbers stay the same when a file is copied up, and listings tell them')
def inode_numbers():
    numbers = {name: os.lstat(name).st_ino for name in os.listdir('.')}
    with open('file', 'a') as file:
        file.write('x')
    os.chmod('dir', 0o700)
    os.utime('link', follow_symlinks=False)
    os.chmod('fifo', 0o600)
    after = {name: os.lstat(name).st_ino for name in numbers}
    same(after, numbers)
    if LAYER != 'kernel':  # Which lists a directory of several layers with the number that its topmost one has.
        same({each.name: each.inode() for each in os.scandir('.')}, after)
    same(len(set(after.values())), len(after) - 1)


@contract('names of any bytes, and of 255 of them')
def names():
    for start in range(1, 256, 16):
        name = bytes(byte for byte in range(start, min(start + 16, 256)) if byte != 0x2f)
        with open(b'names-' + name, 'wb') as file:
            file.write(name)
    found = sorted(name for name in os.listdir(b'.') if name.startswith(b'names-'))
    same(len(found), 16)
    for name in found:
        same(open(name, 'rb').read(), name[6:])
    long = b'\xc3' * 255
    os.mkdir(long)
    same(open(os.open(long + b'/' + b'n' * 255, os.O_CREAT | os.O_RDWR), 'rb').read(), b'')
    refused(errno.ENAMETOOLONG, os.mkdir, b'n' * 256)
    same(open(b'\xff\xfe odd', 'rb').read(), b'odd')
    os.rename(b'\xff\xfe odd', b'\xfe')
    check(b'\xff\xfe odd' not in os.listdir(b'.'), 'the odd name is gone')


@contract('an opaque directory: what takes the place of a removed one has nothing of it')
def opaque():
    shutil.rmtree('tree')
    os.mkdir('tree')
    same(os.listdir('tree'), [])
    open('tree/f1', 'w').close()
    same((os.listdir('tree'), open('tree/f1').read()), (['f1'], ''))
    refused(errno.ENOENT, os.stat, 'tree/f2')
    shutil.rmtree('dir')
    os.symlink('tree', 'dir')
    same(os.listdir('dir'), ['f1'])


@contract('a listing is right while entries come and go')
def listing():
    kept = set(os.listdir('tree'))
    with os.scandir('tree') as entries:
        first = next(entries).name
        for number in range(100):
            open('tree/new%d' % number, 'w').close()
        for name in sorted(kept)[::2]:
            os.unlink('tree/' + name)
        seen = [first] + [each.name for each in entries]
    stayed = set(sorted(kept)[1::2])
    same((len(seen), stayed - set(seen)), (len(set(seen)), set()))
    same(set(os.listdir('tree')), stayed | {'new%d' % number for number in range(100)})
    os.mkdir('many')
    for number in range(3000):
        os.close(os.open('many/%d' % number, os.O_CREAT | os.O_WRONLY))
    same(len(os.listdir('many')), 3000)
    for each in os.scandir('many'):
        os.unlink(each.path)
    os.rmdir('many')


@contract('symbolic links: any target, their own owner and times')
def symlinks():
    os.symlink('t' * 4095, 'long')
    same(len(os.readlink('long')), 4095)
    refused(errno.ENAMETOOLONG, os.symlink, 't' * 4096, 'longer')
    os.symlink(b'\xff/../x', b'bytes')
    same(os.readlink(b'bytes'), b'\xff/../x')
    same((os.lstat('link').st_size, stat.S_IMODE(os.lstat('link').st_mode)), (4, 0o777))
    os.symlink('loop', 'loop')
    refused(errno.ELOOP, os.stat, 'loop')
    os.lchown('link', 0, 0)
    os.rename('link', 'renamed')
    same((os.readlink('renamed'), open('renamed').read()), ('file', 'lower\n'))


@contract('fifos, sockets and device nodes')
def special():
    os.mkfifo('pipe')
    reader = os.open('pipe', os.O_RDONLY | os.O_NONBLOCK)
    os.write(os.open('pipe', os.O_WRONLY), b'through')
    same(os.read(reader, 10), b'through')
    os.rename('fifo', 'moved-fifo')
    check(stat.S_ISFIFO(os.stat('moved-fifo').st_mode), 'a lower fifo stays one')
    server = socket.socket(socket.AF_UNIX)
    server.bind('socket')
    server.listen()
    socket.socket(socket.AF_UNIX).connect('socket')
    check(stat.S_ISSOCK(os.stat('socket').st_mode), 'it is a socket')
    # Only the real root makes devices, whatever the file system says (vfs_mknod); those of an image are there. Where a
    # single id is mapped, root is emulated: the call is answered as done, and nothing is made.
    if open('/proc/self/uid_map').read().split()[2:] == ['1']:
        os.mknod('null', stat.S_IFCHR | 0o666, os.makedev(1, 3))
        check(not os.path.exists('null'), 'no device is made')
    else:
        refused(errno.EPERM, os.mknod, 'null', stat.S_IFCHR | 0o666, os.makedev(1, 3))


@contract('link counts of directories are those of their subdirectories')
def link_counts():
    if LAYER == 'kernel':  # overlayfs shows merged directories with one link.
        return
    links = os.stat('dir').st_nlink
    if links == 1:  # btrfs counts none.
        return
    same(links, 3)
    os.mkdir('dir/more')
    same(os.stat('dir').st_nlink, 4)
    os.rename('dir/more', 'more')
    os.rmdir('emptied')
    same((os.stat('dir').st_nlink, os.stat('more').st_nlink), (3, 2))


@contract('statfs: 255 bytes for a name, and room that is there')
def statfs():
    found = os.statvfs('.')
    check(found.f_namemax == 255 and found.f_blocks > 0, 'name length %d, blocks %d' % (found.f_namemax, found.f_blocks))
    check(0 < found.f_bavail <= found.f_bfree <= found.f_blocks, 'free blocks')
    check(found.f_bsize >= 512 and found.f_frsize >= 512, 'block size')


@contract('deep directories, beyond PATH_MAX')
def deep():
    root = os.open('.', os.O_RDONLY)
    at = root
    for _ in range(60):
        os.mkdir('d' * 100, dir_fd=at)
        at = os.open('d' * 100, os.O_RDONLY, dir_fd=at)
    os.close(os.open('bottom', os.O_CREAT | os.O_WRONLY, dir_fd=at))
    same(os.listdir(at), ['bottom'])
    shutil.rmtree('d' * 100, dir_fd=root)
    check(not os.path.exists('d' * 100), 'all gone')
