/**
 * Dockerfiles in the manner of public projects: what their instructions do to a file system, with stand-ins for what they
 * download. `@busybox` and `@debian` are the fixture images.
 */
import type { ContextFiles } from '../helpers/build-context.ts';

export interface CorpusEntry {
  readonly name: string;
  readonly dockerfile: string;
  readonly files: ContextFiles;
  /** Built by the ordinary suite; TRUN_TEST_CORPUS=all builds the others as well. */
  readonly isShort?: true;
}

const app: ContextFiles = {
  'package.json': '{"name":"app","version":"1.0.0"}',
  'package-lock.json': '{}',
  'src/index.js': 'console.log(1)',
  'src/lib/util.js': 'exports.x = 1',
  'public/index.html': '<p>hello</p>',
  'public/logo.svg': '<svg/>',
  'bin/start': { mode: 0o755, text: '#!/bin/sh\nexec node src' },
  'bin/latest': { link: 'start' },
  'config/default.conf': 'listen 80;',
  'config/secret.conf': { mode: 0o600, text: 'key' },
  'node_modules/x/index.js': 'never copied',
  'README.md': '# readme',
  '.dockerignore': 'node_modules\n*.md\n.git\n',
};

export const corpus: readonly CorpusEntry[] = [
  {
    name: 'a node application in two stages',
    files: app,
    dockerfile: `
      FROM @busybox AS deps
      WORKDIR /app
      COPY package.json package-lock.json ./
      RUN mkdir -p node_modules/.bin node_modules/left && echo 'x' > node_modules/left/index.js && ln -s ../left/index.js node_modules/.bin/left
      FROM @busybox
      ENV NODE_ENV=production
      WORKDIR /app
      COPY --from=deps /app/node_modules ./node_modules
      COPY . .
      RUN chmod -R a-w src && chown -R 1000:1000 /app/public
      USER 1000
      EXPOSE 3000
      CMD ["bin/start"]`,
  },
  {
    name: 'a go program on scratch',
    isShort: true,
    files: { 'main.go': 'package main', 'go.mod': 'module x', 'go.sum': '' },
    dockerfile: `
      ARG GO=@busybox
      FROM \${GO} AS build
      WORKDIR /src
      COPY go.mod go.sum ./
      RUN mkdir -p /go/pkg && touch /go/pkg/cache
      COPY . .
      ARG VERSION=dev
      RUN mkdir -p /out && echo "binary $VERSION" > /out/server && chmod 0755 /out/server && echo 'nobody:x:65534:65534::/:' > /out/passwd
      FROM scratch
      COPY --from=build /out/passwd /etc/passwd
      COPY --from=build /out/server /usr/local/bin/server
      USER nobody
      ENTRYPOINT ["/usr/local/bin/server"]`,
  },
  {
    name: 'a web server with its configuration',
    files: app,
    dockerfile: `
      FROM @busybox
      RUN mkdir -p /etc/nginx/conf.d /var/cache/nginx /var/log/nginx && ln -sf /dev/stdout /var/log/nginx/access.log && ln -sf /dev/stderr /var/log/nginx/error.log
      RUN addgroup -g 101 nginx; adduser -D -H -u 101 -G nginx nginx; chown -R 101:101 /var/cache/nginx && chmod 750 /var/cache/nginx
      COPY config/default.conf /etc/nginx/conf.d/
      COPY --chown=101:101 public/ /usr/share/nginx/html/
      RUN rm /var/www/index.html && rmdir /var/www
      STOPSIGNAL SIGQUIT`,
  },
  {
    name: 'a database with its own user and data folder',
    files: { 'docker-entrypoint.sh': { mode: 0o775, text: '#!/bin/bash' }, 'initdb/01.sql': 'select 1;' },
    dockerfile: `
      FROM @debian
      RUN set -eux; groupadd -r postgres --gid=999; useradd -r -g postgres --uid=999 --home-dir=/var/lib/postgresql --shell=/bin/bash postgres; install --verbose --directory --owner postgres --group postgres --mode 1777 /var/lib/postgresql
      ENV PGDATA /var/lib/postgresql/data
      RUN install --verbose --directory --owner postgres --group postgres --mode 1777 "$PGDATA" && mkdir /docker-entrypoint-initdb.d
      RUN rm -f /var/log/*.log /var/cache/ldconfig/aux-cache /etc/.pwd.lock /etc/*-; rm -rf /var/lib/apt/lists/*
      COPY docker-entrypoint.sh /usr/local/bin/
      RUN ln -s usr/local/bin/docker-entrypoint.sh /
      COPY --chown=postgres:postgres initdb/ /docker-entrypoint-initdb.d/
      RUN su postgres -c 'touch $PGDATA/PG_VERSION && mkdir -m 700 $PGDATA/base'`,
  },
  {
    name: 'a python application in a virtual environment',
    files: { 'requirements.txt': 'flask', 'app/__init__.py': '', 'app/main.py': 'print(1)', 'tests/test_app.py': '' },
    dockerfile: `
      FROM @debian AS builder
      RUN mkdir -p /opt/venv/bin /opt/venv/lib/python3/site-packages/flask && ln -s /usr/bin/python3 /opt/venv/bin/python && ln /etc/debian_version /opt/venv/lib/one && ln /opt/venv/lib/one /opt/venv/lib/two
      COPY requirements.txt .
      RUN cp requirements.txt /opt/venv/lib/python3/site-packages/flask/
      FROM @debian
      COPY --from=builder /opt/venv /opt/venv
      ENV PATH="/opt/venv/bin:$PATH" PYTHONUNBUFFERED=1
      WORKDIR /code
      COPY app app
      COPY tests/ ./tests/
      RUN useradd -m -u 1000 app && chown -R app /code
      USER app
      RUN touch /code/created-by-app && mkdir -m 2755 /code/setgid`,
  },
  {
    name: 'deleting and replacing what is below',
    isShort: true,
    files: { f: 'f', 'd/x': 'x' },
    dockerfile: `
      FROM @busybox
      RUN mkdir -p /a/b/c && echo 1 > /a/b/c/1 && echo 2 > /a/b/2 && ln -s b /a/link
      RUN rm -rf /a/b && mkdir /a/b && echo 3 > /a/b/3
      RUN mv /a /moved && rm /bin/vi && ln -s busybox /bin/vi2
      RUN rm -rf /home && echo file > /home
      COPY d /moved/b
      COPY f /moved/b/3
      RUN rm /home && mkdir /home && chmod 700 /home`,
  },
  {
    name: 'modes, links and names of all kinds',
    isShort: true,
    files: { 'with space.txt': 's', 'ünïcode.txt': 'u', run: { mode: 0o711, text: 'r' }, 'deep/a/b/c/d.txt': 'd' },
    dockerfile: `
      FROM @busybox
      COPY ["with space.txt", "ünïcode.txt", "/names/"]
      COPY run /usr/bin/run
      COPY deep/a /deep
      RUN chmod 4755 /usr/bin/run && cp -p /usr/bin/run /usr/bin/run2 && ln /usr/bin/run /usr/bin/run3 && chmod 6711 /usr/bin/run2
      RUN mkfifo /fifo && chmod 640 /fifo && mkdir -m 1777 /sticky && ln -s /nowhere /dangling && ln -s ../../.. /sticky/up
      RUN touch -d '2001-02-03 04:05:06' /old && mkdir /times && touch -d '2002-02-03 04:05:06' /times/f && touch -d '1999-01-01 00:00:00' /times`,
  },
  {
    name: 'arguments and variables in destinations',
    files: { one: '1', two: '2' },
    dockerfile: `
      ARG ROOT=/srv
      FROM @busybox
      ARG ROOT
      ARG NAME=service
      ENV HOME_DIR=\${ROOT}/\${NAME} LOGS=\${ROOT:-/x}/logs
      WORKDIR \${HOME_DIR}
      COPY one \${HOME_DIR}/\${NAME}.conf
      COPY two .
      WORKDIR nested/deeper
      RUN pwd > where && mkdir -p $LOGS && echo "$NAME" > "$LOGS/log"
      COPY one two ./`,
  },
  {
    name: 'a stage on a stage, and wildcards',
    files: { 'a1.txt': '1', 'a2.txt': '2', 'b1.log': '3', 'sub/a3.txt': '4' },
    dockerfile: `
      FROM @busybox AS base
      RUN mkdir /work && echo base > /work/base
      FROM base AS middle
      COPY a*.txt /work/
      RUN cat /work/a1.txt /work/a2.txt > /work/all
      FROM middle
      COPY ?1.* /marks/
      COPY --from=base /work/base /from-base
      COPY --from=1 /work/ /again/`,
  },
  {
    name: 'links in destinations',
    isShort: true,
    files: { f: 'f', 'd/g': 'g' },
    dockerfile: `
      FROM @busybox
      RUN mkdir -p /real/dir && ln -s /real/dir /abs && ln -s real/dir /rel
      COPY f /abs/
      COPY d /rel/
      COPY f /rel/renamed`,
  },
];
