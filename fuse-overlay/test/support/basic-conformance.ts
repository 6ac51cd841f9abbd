/** What any file system has to do as a bare folder does it: shell scripts whose output is compared. */

/** Makes what is there at first. */
export const fillForConformance = 'mkdir d; echo low > d/f; ln d/f d/linked';

export const basicConformance = `
  ls -a . d; cat d/f; echo more >> d/f; cat d/f d/linked; stat -c '%h %s' d/f
  mkdir new; echo x > new/y; mv new/y z; ln z zz; ln -s z l; readlink l; stat -c '%h %a %s' z; chmod 640 z; stat -c %a z
  touch -d @1234567890 z; stat -c %Y z; rm zz; rmdir new; rm -r d; ls -A; mkdir a; echo in > a/in; mv a b; cat b/in; rm -r b
  cp /bin/sh prog; ./prog -c 'echo ran'; cmp prog /bin/sh && truncate -s 1000 prog && stat -c %s prog
  exec 5> gone; rm gone; echo held >&5; exec 5>&-; test ! -e gone; cat absent 2>&1 | grep -o 'No such file.*'
  seq 500 | while read n; do echo $n > f$n; done; ls | wc -l; cat f* | sort -n | tail -n 1; rm f*; ls`;
