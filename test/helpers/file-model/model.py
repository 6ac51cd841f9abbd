"""A file system in memory: what the operations of random_operations.py should do."""
import errno
import os
import stat


class Node:
    def __init__(self, mode, target=''):
        self.mode = mode
        self.nlink = 1
        self.content = bytearray()
        self.children = {} if stat.S_ISDIR(mode) else None
        self.target = target
        self.mtime = None
        self.xattrs = {}

    @property
    def is_directory(self):
        return self.children is not None


def fail(code):
    raise OSError(code, os.strerror(code))


class Model:
    """Paths are relative to the root and go through no symbolic link, but perhaps through what is no directory."""

    def __init__(self):
        self.root = Node(stat.S_IFDIR | 0o755)

    def find(self, path):
        node = self.root
        for name in path.split('/') if path else []:
            if not node.is_directory:
                fail(errno.ENOTDIR)
            if name not in node.children:
                fail(errno.ENOENT)
            node = node.children[name]
        return node

    def parent(self, path):
        folder, _, name = path.rpartition('/')
        node = self.find(folder)
        if not node.is_directory:
            fail(errno.ENOTDIR)
        return node, name

    def add(self, path, node):
        folder, name = self.parent(path)
        if name in folder.children:
            fail(errno.EEXIST)
        folder.children[name] = node
        folder.mtime = None

    def create(self, path, mode):
        self.add(path, Node(stat.S_IFREG | mode))

    def mkdir(self, path, mode):
        self.add(path, Node(stat.S_IFDIR | mode))

    def symlink(self, target, path):
        self.add(path, Node(stat.S_IFLNK | 0o777, target))

    def mkfifo(self, path, mode):
        self.add(path, Node(stat.S_IFIFO | mode))

    def link(self, old, new):
        node = self.find(old)
        self.parent(new)
        folder, name = self.parent(new)
        if name in folder.children:
            fail(errno.EEXIST)
        if node.is_directory:
            fail(errno.EPERM)
        node.nlink += 1
        folder.children[name] = node
        folder.mtime = None

    def unlink(self, path):
        folder, name = self.parent(path)
        node = self.find(path)
        if node.is_directory:
            fail(errno.EISDIR)
        del folder.children[name]
        node.nlink -= 1
        folder.mtime = None

    def rmdir(self, path):
        folder, name = self.parent(path)
        node = self.find(path)
        if not node.is_directory:
            fail(errno.ENOTDIR)
        if node.children:
            fail(errno.ENOTEMPTY)
        del folder.children[name]
        folder.mtime = None

    def rename(self, old, new, flags):
        source, name = self.parent(old)
        target, new_name = self.parent(new)
        node = self.find(old)
        other = target.children.get(new_name)
        if flags & 1 and other:
            fail(errno.EEXIST)
        if flags & 2 and not other:
            fail(errno.ENOENT)
        if other is node:
            return
        if flags & 2:
            source.children[name], target.children[new_name] = other, node
        else:
            if other and node.is_directory and not other.is_directory:
                fail(errno.ENOTDIR)
            if other and other.is_directory and not node.is_directory:
                fail(errno.EISDIR)
            if other and other.is_directory and other.children:
                fail(errno.ENOTEMPTY)
            del source.children[name]
            target.children[new_name] = node
            if other:
                other.nlink -= 1
        source.mtime = target.mtime = None

    def write(self, path, offset, data):
        node = self.find(path)
        node.content.extend(bytes(max(0, offset - len(node.content))))
        node.content[offset:offset + len(data)] = data
        node.mtime = None

    def append(self, path, data):
        self.write(path, len(self.find(path).content), data)

    def punch(self, path, offset, length):
        node = self.find(path)
        length = min(length, len(node.content) - offset)
        node.content[offset:offset + length] = bytes(length)
        node.mtime = None

    def truncate(self, path, size):
        node = self.find(path)
        del node.content[size:]
        node.content.extend(bytes(size - len(node.content)))
        node.mtime = None

    def copy(self, source, offset, path, to, length):
        self.write(path, to, bytes(self.find(source).content[offset:offset + length]))

    def chmod(self, path, mode):
        node = self.find(path)
        node.mode = stat.S_IFMT(node.mode) | mode

    def utime(self, path, nanoseconds):
        self.find(path).mtime = nanoseconds

    def setxattr(self, path, name, value):
        self.find(path).xattrs[name] = value

    def removexattr(self, path, name):
        if name not in self.find(path).xattrs:
            fail(errno.ENODATA)
        del self.find(path).xattrs[name]

    def nameless(self, folder, path, data):
        """O_TMPFILE, written to and then linked."""
        if not self.find(folder).is_directory:
            fail(errno.ENOTDIR)
        node = Node(stat.S_IFREG | 0o600)
        node.content.extend(data)
        self.add(path, node)

    def describe(self):
        """(path, mode, links, size, contents, target, mtime or None, xattrs) of everything, by path."""
        lines = {}

        def walk(node, path):
            is_file = stat.S_ISREG(node.mode)
            links = 0 if node.is_directory else node.nlink
            lines[path] = (node.mode, links, bytes(node.content) if is_file else b'', node.target, node.mtime, dict(node.xattrs))
            for name, child in sorted((node.children or {}).items()):
                walk(child, path + '/' + name)
        walk(self.root, '')
        return lines
