"""
    random_operations.py SEED STEPS LAYER BARE KIND

Does STEPS random operations, chosen by SEED, in the folder LAYER (of a writable layer of kind `kernel` or `fuse`), in the folder
BARE of any other file system, and in memory, and compares each result, and the trees every now and then. All three begin with
what is in LAYER. Prints `same` at the end, or the first difference and what led to it.
"""
import errno
import os
import random
import shutil
import stat
import sys

from model import Model, Node
from real import Real

LONG = 'e' * 255
NAMES = ['a', 'b', 'c', 'dd', LONG, '\udcff\udcfe', 'file0', 'file1', 'sub', 'deep']


def load(path):
    """A tree on disk as a model."""
    model = Model()

    def walk(path, node):
        found = os.lstat(path)
        node.mode = found.st_mode
        if stat.S_ISREG(found.st_mode):
            with open(path, 'rb') as file:
                node.content.extend(file.read())
        for name in sorted(os.listdir(path)) if node.is_directory else []:
            inner = os.path.join(path, name)
            child = node.children[name] = Node(os.lstat(inner).st_mode)
            if stat.S_ISLNK(child.mode):
                child.target = os.readlink(inner)
            walk(inner, child)
    walk(path, model.root)
    return model


def copy_tree(source, target):
    mode = os.lstat(source).st_mode
    if stat.S_ISDIR(mode):
        os.mkdir(target)
        for name in os.listdir(source):
            copy_tree(os.path.join(source, name), os.path.join(target, name))
    elif stat.S_ISLNK(mode):
        return os.symlink(os.readlink(source), target)
    elif stat.S_ISFIFO(mode):
        os.mkfifo(target)
    else:
        shutil.copyfile(source, target)
    return os.chmod(target, stat.S_IMODE(mode))


class Run:
    def __init__(self, seed, layer, bare, kind):
        self.random = random.Random(seed)
        self.kind = kind
        copy_tree(layer, bare)
        self.model = load(layer)
        self.layer, self.bare = Real(layer), Real(bare)
        self.history = []

    def pick(self, wanted=lambda node: True):
        """The path of a random node."""
        found = []

        def walk(node, path):
            for name, child in node.children.items():
                inner = path + '/' + name if path else name
                if wanted(child):
                    found.append(inner)
                if child.is_directory:
                    walk(child, inner)
        walk(self.model.root, '')
        return self.random.choice(found) if found else 'absent'

    def place(self):
        """A path to make something at; now and then one that is there, or that leads nowhere."""
        if self.random.random() < 0.1:
            return self.pick()
        folder = self.pick(lambda node: node.is_directory) if self.random.random() < 0.8 else ''
        if self.random.random() < 0.03:
            folder = self.pick()
            if stat.S_ISLNK(self.model.find(folder).mode) if folder != 'absent' else True:
                folder = ''
        name = self.random.choice(NAMES)
        return folder + '/' + name if folder and folder != 'absent' else name

    def choose(self):
        choose, below = self.random.choice, self.random.randrange
        file = self.pick(lambda node: stat.S_ISREG(node.mode))
        size = len(self.model.find(file).content) if file != 'absent' else 0
        data = self.random.randbytes(below(1, 9000))
        mode = choose([0o644, 0o600, 0o755, 0o711, 0o1777])
        kind = choose(['create', 'create', 'mkdir', 'mkdir', 'symlink', 'mkfifo', 'link', 'unlink', 'rmdir', 'rename', 'rename',
                       'rename', 'write', 'write', 'append', 'punch', 'truncate', 'copy', 'chmod', 'utime', 'setxattr',
                       'removexattr', 'nameless'])
        if kind in ('create', 'mkdir', 'mkfifo'):
            return kind, (self.place(), mode & 0o755)
        if kind == 'symlink':
            return kind, ('to/%d' % below(100), self.place())
        if kind == 'link':
            return kind, (self.pick(), self.place())
        if kind in ('unlink', 'rmdir'):
            return kind, (self.pick(),)
        if kind == 'rename':
            return kind, (self.pick(), self.place(), choose([0, 0, 1, 2]))
        if kind == 'write':
            return kind, (file, choose([0, size, below(size + 1), below(60000)]), data)
        if kind == 'append':
            return kind, (file, data)
        if kind == 'punch':
            return (kind, (file, below(size), below(1, 20000))) if size else ('chmod', (file, mode))
        if kind == 'truncate':
            return kind, (file, choose([0, below(size + 1), below(60000)]))
        if kind == 'copy':
            source = self.pick(lambda node: stat.S_ISREG(node.mode))
            length = len(self.model.find(source).content) if source != 'absent' else 0
            same = source == 'absent' or file == 'absent' or self.model.find(source) is self.model.find(file)
            return ('append', (file, data)) if same or length == 0 else (kind, (source, below(length), file, below(size + 1), 5000))
        if kind == 'chmod':
            return kind, (self.pick(lambda node: not stat.S_ISLNK(node.mode)), mode)
        if kind == 'utime':
            return kind, (self.pick(), below(2 * 10**18))
        owner = self.pick(lambda node: stat.S_ISREG(node.mode) or node.is_directory)
        if kind == 'setxattr':
            return kind, (owner, choose(['user.a', 'user.b']), data[:below(1, 300)])
        if kind == 'removexattr':
            return kind, (owner, choose(['user.a', 'user.b']))
        return kind, (self.pick(lambda node: node.is_directory), self.place(), data)

    def step(self):
        kind, arguments = self.choose()
        if kind == 'rename' and not self.is_possible(*arguments):
            return
        self.history.append((kind, tuple(len(each) if isinstance(each, bytes) else each for each in arguments)))
        result = self.do(self.layer, kind, arguments)
        # Without redirect_dir a directory of the lower layer cannot be renamed by kernel overlayfs.
        if kind == 'rename' and self.kind == 'kernel' and result == errno.EXDEV:
            self.history.pop()
            return
        # It passes on that the image's file system has no attributes at all.
        if kind == 'removexattr' and self.kind == 'kernel' and result == errno.EOPNOTSUPP:
            result = errno.ENODATA
        for name, other in (('bare', self.bare), ('model', self.model)):
            expected = self.do(other, kind, arguments)
            self.expect(result == expected, '%s gives %s, %s gives %s' % (self.kind, result, name, expected))

    def do(self, target, kind, arguments):
        try:
            getattr(target, kind)(*arguments)
            return 0
        except OSError as error:
            return error.errno

    def is_possible(self, old, new, flags):
        """Not where a directory would come to lie within itself, and not what kernel overlayfs gets wrong."""
        if (new + '/').startswith(old + '/') or (old + '/').startswith(new + '/'):
            return False
        try:
            return self.kind != 'kernel' or self.model.find(old) is not self.model.find(new)
        except OSError:
            return True

    def compare(self):
        expected = self.model.describe()
        for name, found in ((self.kind, self.layer.describe()), ('bare', self.bare.describe())):
            self.expect(found.keys() == expected.keys(), '%s: names %r' % (name, sorted(found.keys() ^ expected.keys())))
            for path, wanted in expected.items():
                for part, (one, other) in enumerate(zip(found[path], wanted)):
                    if part == 4 and other is None:
                        continue
                    what = ('mode', 'links', 'contents', 'target', 'time', 'xattrs')[part]
                    if what == 'contents' and one != other:
                        at = next((at for at, (x, y) in enumerate(zip(one, other)) if x != y), min(len(one), len(other)))
                        one, other = 'length %d, another from %d on' % (len(one), at), len(other)
                        self.expect(False, '%s: contents of %r: %s' % (name, path, one))
                    self.expect(one == other, '%s: %s of %r: %r, not %r' % (name, what, path, one, other))

    def expect(self, condition, what):
        if not condition:
            print(what.replace(LONG, 'LONG'))
            for each in self.history[-12:]:
                print('   ', str(each).replace(LONG, 'LONG'))
            sys.exit(1)


def main():
    seed, steps, layer, bare, kind = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:6]
    os.umask(0)
    run = Run(seed, layer, bare, kind)
    for step in range(1, steps + 1):
        run.step()
        if step % 150 == 0 or step == steps:
            run.compare()
    print('same')


main()
