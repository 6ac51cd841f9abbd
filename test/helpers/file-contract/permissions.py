"""Owners, modes, set-id bits, capabilities, ACLs, extended attributes."""
import errno
import os
import stat
import struct

from contract import LAYER, as_user, check, contract, has_ids, refused, same

# vfs_cap_data of revision 2 (include/uapi/linux/capability.h): cap_net_bind_service, effective.
CAPABILITY = struct.pack('<IIIII', 0x02000001, 1 << 10, 0, 0, 0)


def acl(*entries):
    """posix_acl_xattr of (tag, permissions, id)."""
    return struct.pack('<I', 2) + b''.join(struct.pack('<HHI', tag, perm, 0xffffffff if who is None else who) for tag, perm, who in entries)


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def has_capability(path):
    try:
        return len(os.getxattr(path, 'security.capability')) > 0
    except OSError as error:
        same(error.errno, errno.ENODATA)
        return False


@contract('setuid and setgid go with a write, a truncation or a chown of somebody without the privilege')
def set_id():
    same(mode('setuid'), 0o4755)
    if has_ids():
        for path, change in (('written', lambda: open('written', 'ab').write(b'x')), ('cut', lambda: os.truncate('cut', 0))):
            with open(path, 'w') as file:
                file.write('#!')
            os.chmod(path, 0o6777)
            as_user(1000, change)
            same((path, mode(path)), (path, 0o777))
        os.chmod('setuid', 0o6757)
        as_user(1000, lambda: open('setuid', 'ab').write(b'x'))
        same(mode('setuid'), 0o757)
        os.chmod('hard', 0o6755)
        os.chown('hard', 1000, 1000)
        same((mode('hard'), os.stat('hard').st_uid), (0o755, 1000))
    os.chmod('file', 0o2644)
    os.chown('file', 0, 0)
    same(mode('file'), 0o2644)


@contract('security.capability: kept, and gone with the next write or chown')
def capability():
    for path in ('busybox', 'hard'):
        os.setxattr(path, 'security.capability', CAPABILITY)
        check(has_capability(path), 'it is set')
        os.rename(path, 'moved')
        os.chmod('moved', 0o700)
        check(has_capability('moved'), 'it stays with renames and chmod')
        with open('moved', 'ab') as file:
            file.write(b' ')
        check(not has_capability('moved'), 'a write takes it away')
        os.setxattr('moved', 'security.capability', CAPABILITY)
        os.chown('moved', 0, 0)
        check(not has_capability('moved'), 'chown takes it away')
        os.unlink('moved')


@contract('POSIX ACLs: inherited, kept in step with the mode, and enforced')
def acls():
    os.mkdir('acl')
    default = acl((1, 7, None), (2, 6, 0), (4, 5, None), (16, 7, None), (32, 0, None))
    os.setxattr('acl', 'system.posix_acl_default', default)
    os.umask(0)
    open('acl/file', 'w').close()
    os.mkdir('acl/below', 0o755)
    same((mode('acl/file'), os.listxattr('acl/file')), (0o660, ['system.posix_acl_access']))
    check('system.posix_acl_default' in os.listxattr('acl/below'), 'directories inherit the default')
    os.chmod('acl/file', 0o600)
    same(os.getxattr('acl/file', 'system.posix_acl_access')[30:32], b'\0\0')
    os.setxattr('file', 'system.posix_acl_access', acl((1, 6, None), (4, 4, None), (32, 4, None)))
    same((mode('file'), os.listxattr('file')), (0o644, []))
    refused(errno.EOPNOTSUPP, os.setxattr, 'file', 'system.posix_acl_access', b'nonsense')
    os.removexattr('acl', 'system.posix_acl_default')
    os.umask(0o022)
    open('acl/plain', 'w').close()
    same(mode('acl/plain'), 0o644)
    if not has_ids():
        return
    os.chmod('hard', 0o600)
    as_user(1000, lambda: refused(errno.EACCES, open, 'hard'))
    os.setxattr('hard', 'system.posix_acl_access', acl((1, 6, None), (2, 4, 1000), (4, 0, None), (16, 4, None), (32, 0, None)))
    as_user(1000, lambda: same(open('hard').read(), 'contents'))
    as_user(1001, lambda: refused(errno.EACCES, open, 'hard'))


@contract('extended attributes: set, replaced, listed, removed, of lower files too')
def xattrs():
    for path in ('file', 'dir', 'made'):
        if path == 'made':
            open(path, 'w').close()
        same(os.listxattr(path), [])
        os.setxattr(path, 'user.one', b'1')
        os.setxattr(path, 'user.two', b'2' * 2000)
        refused(errno.EEXIST, os.setxattr, path, 'user.one', b'', os.XATTR_CREATE)
        refused(errno.ENODATA, os.setxattr, path, 'user.none', b'', os.XATTR_REPLACE)
        os.setxattr(path, 'user.one', b'\0other\xff', os.XATTR_REPLACE)
        same(sorted(os.listxattr(path)), ['user.one', 'user.two'])
        same((os.getxattr(path, 'user.one'), len(os.getxattr(path, 'user.two'))), (b'\0other\xff', 2000))
        os.removexattr(path, 'user.two')
        refused(errno.ENODATA, os.getxattr, path, 'user.two')
        refused(errno.ENODATA, os.removexattr, path, 'user.two')
        os.setxattr(path, 'user.empty', b'')
        same(os.getxattr(path, 'user.empty'), b'')
    refused(errno.EPERM, os.setxattr, 'link', 'user.x', b'', follow_symlinks=False)
    refused(errno.ERANGE, os.setxattr, 'file', 'user.' + 'n' * 256, b'')
    refused(errno.EOPNOTSUPP, os.setxattr, 'file', 'nonsense.x', b'')
    os.rename('file', 'renamed')
    os.link('renamed', 'linked')
    same(os.getxattr('linked', 'user.one'), b'\0other\xff')


@contract('a sticky directory: names are removed by their owners alone')
def sticky():
    os.mkdir('sticky')
    os.chmod('sticky', 0o1777)
    same(mode('sticky'), 0o1777)
    if not has_ids():
        return
    as_user(1000, lambda: open('sticky/mine', 'w').close())
    as_user(1001, lambda: refused(errno.EPERM, os.unlink, 'sticky/mine'))
    as_user(1001, lambda: refused(errno.EPERM, os.rename, 'sticky/mine', 'sticky/yours'))
    as_user(1000, lambda: os.unlink('sticky/mine'))


@contract('a setgid directory gives its group; the umask is taken off')
def inheritance():
    os.mkdir('shared')
    if has_ids():
        os.chown('shared', 0, 1234)
    os.chmod('shared', 0o2775)
    os.umask(0o027)
    open('shared/file', 'w').close()
    os.mkdir('shared/below')
    group = os.stat('shared').st_gid
    same((os.stat('shared/file').st_gid, mode('shared/file')), (group, 0o640))
    same((os.stat('shared/below').st_gid, mode('shared/below')), (group, 0o2750))
    os.umask(0o022)


@contract('permissions are checked, of lower files and new ones')
def access():
    if not has_ids():
        return
    os.chmod('dir', 0o700)
    os.chmod('file', 0o640)
    os.chown('file', 1000, 2000)
    as_user(1001, lambda: refused(errno.EACCES, os.listdir, 'dir'))
    as_user(1001, lambda: refused(errno.EACCES, open, 'file'))
    as_user(1000, lambda: same(open('file').read(), 'lower\n'))
    as_user(1000, lambda: refused(errno.EACCES, os.mkdir, 'dir/x'))
    as_user(1000, lambda: refused(errno.EPERM, os.chown, 'file', 1001, -1))
    as_user(1000, lambda: refused(errno.EPERM, os.chmod, 'hard', 0o777))
    as_user(1000, lambda: refused(errno.EACCES, os.unlink, 'hard'))
    as_user(1000, lambda: os.chmod('file', 0o600))
    same((mode('file'), os.stat('file').st_uid, os.stat('file').st_gid), (0o600, 1000, 2000))
