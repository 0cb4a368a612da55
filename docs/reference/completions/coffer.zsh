#compdef coffer

autoload -U is-at-least

_coffer() {
    typeset -A opt_args
    typeset -a _arguments_options
    local ret=1

    if is-at-least 5.2; then
        _arguments_options=(-s -S -C)
    else
        _arguments_options=(-s -C)
    fi

    local context curcontext="$curcontext" state line
    _arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
":: :_coffer_commands" \
"*::: :->coffer" \
&& ret=0
    case $state in
    (coffer)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:coffer-command-$line[1]:"
        case $line[1] in
            (run)
_arguments "${_arguments_options[@]}" : \
'*--profile=[Add a profile]:NAME:_default' \
'--agent=[The agent to run]:NAME:_default' \
'--account=[The account whose login is used]:NAME:_default' \
'--auth=[How the run gets to be signed in\: lease, gateway, shared, none]:MODE:_default' \
'--state=[Where the agent'\''s own files live\: project, shared, copy, fresh]:MODE:_default' \
'--network=[What it can talk to\: full, learn, dev, agent, none]:TIER:_default' \
'*--allow-write=[Let it write a path of the project that the host runs later (git hooks, editor tasks, the agent'\''s own settings)]:PATH:_default' \
'*--allow=[Let it reach a host; \`*.NAME\` is every name below NAME, and the port is 443 unless said]:HOST[:PORT]:_default' \
'*--forward=[Show it a service of this machine, at the same port or path]:PORT|unix:PATH:_default' \
'*--publish=[Show one of its ports on this machine'\''s loopback]:[HOST_PORT:]PORT:_default' \
'*--mount=[Show a path of the host inside; read-only unless \`\:rw\`]:SRC[:DST][:ro|rw]:_default' \
'*--env=[Pass a variable of the host, or set one]:NAME[=VALUE]:_default' \
'--workdir=[The working folder inside]:PATH:_default' \
'--backend=[What makes the sandbox\: bwrap, podman, docker]:KIND:_default' \
'--image=[The image of a container (\`--backend podman\` or \`docker\`); nothing is pulled]:REF:_default' \
'--memory=[How much memory it may use, swap included\: \`8G\`; or \`none\` for no limit]:SIZE:_default' \
'--pids=[How many processes and threads it may have at once; or \`none\`]:N:_default' \
'--cpus=[How many processors'\'' time it may use\: \`1.5\`; or \`none\`]:X:_default' \
'*--ssh-agent=[Let it sign with keys of your SSH agent\: all of them, or those with this comment (\`*\` stands for anything) or SHA256 fingerprint]::KEY:_default' \
'*--gpg-agent=[Let it sign with your GnuPG keys\: all of them, or those with this fingerprint, key id, keygrip or address]::KEY:_default' \
'--dry-run=[Print the plan and the exact command instead of running it]::FORM:((text\:"The audit and the command"
json\:"The plan as JSON"
command\:"The command, as one line that can be pasted"))' \
'--audit=[When to print the audit\: always, changed, never]:WHEN:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--unattended[Let the agent skip its own permission questions]' \
'--keep[Merge the working copy of \`--state copy\` back at the end]' \
'--accept-config[Let every change of git'\''s configuration reach the host at the end, not the harmless ones alone]' \
'--as-root-inside[Be uid 0 inside (in a user namespace without capabilities)]' \
'--allow-host-login[Let \`--auth shared\` share your own login]' \
'--allow-nesting[Let sandboxes be made inside\: namespaces and mounts; Landlock closes no files then]' \
'--gpg-agent-decrypt[Let it decrypt with the keys of \`--gpg-agent\`, too]' \
'--confirm-keys[Ask you (by \`ssh-askpass\`) each time before a key is used]' \
'--allow-container-engine[Let \`--forward\` or \`--mount\` show it a container engine\: it is root on this machine then]' \
'-y[Don'\''t ask, also when the plan has grown since the last run here]' \
'--yes[Don'\''t ask, also when the plan has grown since the last run here]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::command -- A command to run instead of the agent; arguments for the agent when the first begins with `-`:_default' \
&& ret=0
;;
(learn)
_arguments "${_arguments_options[@]}" : \
'*--profile=[Add a profile]:NAME:_default' \
'--agent=[The agent to run]:NAME:_default' \
'--account=[The account whose login is used]:NAME:_default' \
'--auth=[How the run gets to be signed in\: lease, gateway, shared, none]:MODE:_default' \
'--state=[Where the agent'\''s own files live\: project, shared, copy, fresh]:MODE:_default' \
'--network=[What it can talk to\: full, learn, dev, agent, none]:TIER:_default' \
'*--allow-write=[Let it write a path of the project that the host runs later (git hooks, editor tasks, the agent'\''s own settings)]:PATH:_default' \
'*--allow=[Let it reach a host; \`*.NAME\` is every name below NAME, and the port is 443 unless said]:HOST[:PORT]:_default' \
'*--forward=[Show it a service of this machine, at the same port or path]:PORT|unix:PATH:_default' \
'*--publish=[Show one of its ports on this machine'\''s loopback]:[HOST_PORT:]PORT:_default' \
'*--mount=[Show a path of the host inside; read-only unless \`\:rw\`]:SRC[:DST][:ro|rw]:_default' \
'*--env=[Pass a variable of the host, or set one]:NAME[=VALUE]:_default' \
'--workdir=[The working folder inside]:PATH:_default' \
'--backend=[What makes the sandbox\: bwrap, podman, docker]:KIND:_default' \
'--image=[The image of a container (\`--backend podman\` or \`docker\`); nothing is pulled]:REF:_default' \
'--memory=[How much memory it may use, swap included\: \`8G\`; or \`none\` for no limit]:SIZE:_default' \
'--pids=[How many processes and threads it may have at once; or \`none\`]:N:_default' \
'--cpus=[How many processors'\'' time it may use\: \`1.5\`; or \`none\`]:X:_default' \
'*--ssh-agent=[Let it sign with keys of your SSH agent\: all of them, or those with this comment (\`*\` stands for anything) or SHA256 fingerprint]::KEY:_default' \
'*--gpg-agent=[Let it sign with your GnuPG keys\: all of them, or those with this fingerprint, key id, keygrip or address]::KEY:_default' \
'--dry-run=[Print the plan and the exact command instead of running it]::FORM:((text\:"The audit and the command"
json\:"The plan as JSON"
command\:"The command, as one line that can be pasted"))' \
'--audit=[When to print the audit\: always, changed, never]:WHEN:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--unattended[Let the agent skip its own permission questions]' \
'--keep[Merge the working copy of \`--state copy\` back at the end]' \
'--accept-config[Let every change of git'\''s configuration reach the host at the end, not the harmless ones alone]' \
'--as-root-inside[Be uid 0 inside (in a user namespace without capabilities)]' \
'--allow-host-login[Let \`--auth shared\` share your own login]' \
'--allow-nesting[Let sandboxes be made inside\: namespaces and mounts; Landlock closes no files then]' \
'--gpg-agent-decrypt[Let it decrypt with the keys of \`--gpg-agent\`, too]' \
'--confirm-keys[Ask you (by \`ssh-askpass\`) each time before a key is used]' \
'--allow-container-engine[Let \`--forward\` or \`--mount\` show it a container engine\: it is root on this machine then]' \
'-y[Don'\''t ask, also when the plan has grown since the last run here]' \
'--yes[Don'\''t ask, also when the plan has grown since the last run here]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::command -- A command to run instead of the agent; arguments for the agent when the first begins with `-`:_default' \
&& ret=0
;;
(ps)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--json[As one JSON document]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(stop)
_arguments "${_arguments_options[@]}" : \
'--time=[After so many seconds a run that goes on is killed]:SECONDS:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::runs -- Which runs, by their ids as `coffer ps` shows them, or how those begin:_default' \
&& ret=0
;;
(allow)
_arguments "${_arguments_options[@]}" : \
'--run=[A run that is at work, or a token of a gateway, reaches them at once]:ID:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--here[For this project only]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::hosts -- Whom; `*.NAME` is every name below NAME, and the port is 443 unless said:_default' \
&& ret=0
;;
(plan)
_arguments "${_arguments_options[@]}" : \
'*--profile=[Add a profile]:NAME:_default' \
'--agent=[The agent to run]:NAME:_default' \
'--account=[The account whose login is used]:NAME:_default' \
'--auth=[How the run gets to be signed in\: lease, gateway, shared, none]:MODE:_default' \
'--state=[Where the agent'\''s own files live\: project, shared, copy, fresh]:MODE:_default' \
'--network=[What it can talk to\: full, learn, dev, agent, none]:TIER:_default' \
'*--allow-write=[Let it write a path of the project that the host runs later (git hooks, editor tasks, the agent'\''s own settings)]:PATH:_default' \
'*--allow=[Let it reach a host; \`*.NAME\` is every name below NAME, and the port is 443 unless said]:HOST[:PORT]:_default' \
'*--forward=[Show it a service of this machine, at the same port or path]:PORT|unix:PATH:_default' \
'*--publish=[Show one of its ports on this machine'\''s loopback]:[HOST_PORT:]PORT:_default' \
'*--mount=[Show a path of the host inside; read-only unless \`\:rw\`]:SRC[:DST][:ro|rw]:_default' \
'*--env=[Pass a variable of the host, or set one]:NAME[=VALUE]:_default' \
'--workdir=[The working folder inside]:PATH:_default' \
'--backend=[What makes the sandbox\: bwrap, podman, docker]:KIND:_default' \
'--image=[The image of a container (\`--backend podman\` or \`docker\`); nothing is pulled]:REF:_default' \
'--memory=[How much memory it may use, swap included\: \`8G\`; or \`none\` for no limit]:SIZE:_default' \
'--pids=[How many processes and threads it may have at once; or \`none\`]:N:_default' \
'--cpus=[How many processors'\'' time it may use\: \`1.5\`; or \`none\`]:X:_default' \
'*--ssh-agent=[Let it sign with keys of your SSH agent\: all of them, or those with this comment (\`*\` stands for anything) or SHA256 fingerprint]::KEY:_default' \
'*--gpg-agent=[Let it sign with your GnuPG keys\: all of them, or those with this fingerprint, key id, keygrip or address]::KEY:_default' \
'--facts=[Plan for a machine whose facts were saved, instead of this one]:FILE:_default' \
'--save-facts=[Save this machine'\''s facts]:FILE:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--unattended[Let the agent skip its own permission questions]' \
'--keep[Merge the working copy of \`--state copy\` back at the end]' \
'--accept-config[Let every change of git'\''s configuration reach the host at the end, not the harmless ones alone]' \
'--as-root-inside[Be uid 0 inside (in a user namespace without capabilities)]' \
'--allow-host-login[Let \`--auth shared\` share your own login]' \
'--allow-nesting[Let sandboxes be made inside\: namespaces and mounts; Landlock closes no files then]' \
'--gpg-agent-decrypt[Let it decrypt with the keys of \`--gpg-agent\`, too]' \
'--confirm-keys[Ask you (by \`ssh-askpass\`) each time before a key is used]' \
'--allow-container-engine[Let \`--forward\` or \`--mount\` show it a container engine\: it is root on this machine then]' \
'(--diff)--json[Print it as JSON]' \
'--diff[Print what changed since the last run here]' \
'--check[Exit with 1 when it differs from the last run'\''s]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::command -- A command to run instead of the agent; arguments for the agent when the first begins with `-`:_default' \
&& ret=0
;;
(why)
_arguments "${_arguments_options[@]}" : \
'*--profile=[Add a profile]:NAME:_default' \
'--agent=[The agent to run]:NAME:_default' \
'--account=[The account whose login is used]:NAME:_default' \
'--auth=[How the run gets to be signed in\: lease, gateway, shared, none]:MODE:_default' \
'--state=[Where the agent'\''s own files live\: project, shared, copy, fresh]:MODE:_default' \
'--network=[What it can talk to\: full, learn, dev, agent, none]:TIER:_default' \
'*--allow-write=[Let it write a path of the project that the host runs later (git hooks, editor tasks, the agent'\''s own settings)]:PATH:_default' \
'*--allow=[Let it reach a host; \`*.NAME\` is every name below NAME, and the port is 443 unless said]:HOST[:PORT]:_default' \
'*--forward=[Show it a service of this machine, at the same port or path]:PORT|unix:PATH:_default' \
'*--publish=[Show one of its ports on this machine'\''s loopback]:[HOST_PORT:]PORT:_default' \
'*--mount=[Show a path of the host inside; read-only unless \`\:rw\`]:SRC[:DST][:ro|rw]:_default' \
'*--env=[Pass a variable of the host, or set one]:NAME[=VALUE]:_default' \
'--workdir=[The working folder inside]:PATH:_default' \
'--backend=[What makes the sandbox\: bwrap, podman, docker]:KIND:_default' \
'--image=[The image of a container (\`--backend podman\` or \`docker\`); nothing is pulled]:REF:_default' \
'--memory=[How much memory it may use, swap included\: \`8G\`; or \`none\` for no limit]:SIZE:_default' \
'--pids=[How many processes and threads it may have at once; or \`none\`]:N:_default' \
'--cpus=[How many processors'\'' time it may use\: \`1.5\`; or \`none\`]:X:_default' \
'*--ssh-agent=[Let it sign with keys of your SSH agent\: all of them, or those with this comment (\`*\` stands for anything) or SHA256 fingerprint]::KEY:_default' \
'*--gpg-agent=[Let it sign with your GnuPG keys\: all of them, or those with this fingerprint, key id, keygrip or address]::KEY:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--unattended[Let the agent skip its own permission questions]' \
'--keep[Merge the working copy of \`--state copy\` back at the end]' \
'--accept-config[Let every change of git'\''s configuration reach the host at the end, not the harmless ones alone]' \
'--as-root-inside[Be uid 0 inside (in a user namespace without capabilities)]' \
'--allow-host-login[Let \`--auth shared\` share your own login]' \
'--allow-nesting[Let sandboxes be made inside\: namespaces and mounts; Landlock closes no files then]' \
'--gpg-agent-decrypt[Let it decrypt with the keys of \`--gpg-agent\`, too]' \
'--confirm-keys[Ask you (by \`ssh-askpass\`) each time before a key is used]' \
'--allow-container-engine[Let \`--forward\` or \`--mount\` show it a container engine\: it is root on this machine then]' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':kind -- What kind of thing it is:((path\:"A path"
host\:"A host"
env\:"A variable"
limit\:"A limit"))' \
':subject -- A path, a host with or without port, a variable'\''s name, or `memory`, `pids`, `cpus`:_default' \
'*::command -- A command to run instead of the agent; arguments for the agent when the first begins with `-`:_default' \
&& ret=0
;;
(trust)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'-y[Don'\''t ask]' \
'--yes[Don'\''t ask]' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(try)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--keep[Keep the practice folder, and say where it is]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'::prompt -- The prompt:_default' \
&& ret=0
;;
(login)
_arguments "${_arguments_options[@]}" : \
'--account=[The account; it is made where it does not exist]:NAME:_default' \
'--agent=[The agent to sign in with]:NAME:_default' \
'--debug-log=[Write a log of the sign-in without tokens]:FILE:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(account)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
":: :_coffer__subcmd__account_commands" \
"*::: :->account" \
&& ret=0

    case $state in
    (account)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:coffer-account-command-$line[1]:"
        case $line[1] in
            (add)
_arguments "${_arguments_options[@]}" : \
'--kind=[What its credential is]:KIND:((subscription\:"A subscription that is signed in"
setup-token\:"A long-lived token for a subscription"
api-key\:"An API key"
auth-token\:"A bearer token"
helper\:"A program that prints a key"
cloud\:"A cloud provider'\''s own sign-in"))' \
'--base-url=[Another provider of the API, or a gateway]:URL:_default' \
'--model=[The model to ask for]:MODEL:_default' \
'--timeout=[Time-out of a request, such as \`90s\` or \`10m\`]:DURATION:_default' \
'--agent=[The agent that it is for]:NAME:_default' \
'*--helper=[The program that prints the key, and its arguments; stands last]:PROGRAM:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':name -- Its name:_default' \
&& ret=0
;;
(import)
_arguments "${_arguments_options[@]}" : \
'--agent=[The agent whose login it is]:NAME:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--pending[Adopt the newest sign-in that was made inside a run and waits]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':name -- The account; it is made where it does not exist:_default' \
'::from -- A folder with a login in it, a login file, or `-` for stdin:_default' \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':name -- Its name:_default' \
&& ret=0
;;
(remove)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--purge[Keep no sealed copy either]' \
'-y[Don'\''t ask]' \
'--yes[Don'\''t ask]' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':name -- Its name:_default' \
&& ret=0
;;
(rename)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':old -- Its name:_default' \
':new -- Its new name:_default' \
&& ret=0
;;
(use)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--here[For the project here only]' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':name -- Its name:_default' \
&& ret=0
;;
        esac
    ;;
esac
;;
(backup)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
":: :_coffer__subcmd__backup_commands" \
"*::: :->backup" \
&& ret=0

    case $state in
    (backup)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:coffer-backup-command-$line[1]:"
        case $line[1] in
            (create)
_arguments "${_arguments_options[@]}" : \
'--account=[Whose; without it the account that is chosen here]:NAME:_default' \
'--to=[A file that is not there yet, or a folder; without it the copy goes to the account'\''s own]:PATH:_default' \
'*--recipient=[Who may open it, too\: \`age1…\`, \`ssh-ed25519 …\`, or a file of these]:RECIPIENT:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--state[The whole account, with its state]' \
'(--recipient)--passphrase[Seal it with a passphrase, from stdin or asked for without echo]' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
'--account=[Whose; without it the account that is chosen here]:NAME:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(verify)
_arguments "${_arguments_options[@]}" : \
'--account=[Whose; without it the account that is chosen here]:NAME:_default' \
'--identity=[A file with an \`age\` identity, or an \`ssh-ed25519\` key, that opens it]:FILE:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'(--identity)--passphrase[It was sealed with a passphrase, which comes from stdin or is asked for without echo]' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::files -- Backups in files; without any, the account'\''s own copies:_default' \
&& ret=0
;;
(restore)
_arguments "${_arguments_options[@]}" : \
'()--from=[A backup in a file instead]:FILE:_default' \
'--account=[Into which account; one that is not there is added]:NAME:_default' \
'--identity=[A file with an \`age\` identity, or an \`ssh-ed25519\` key, that opens it]:FILE:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--state[The state as well]' \
'(--identity)--passphrase[It was sealed with a passphrase, which comes from stdin or is asked for without echo]' \
'-y[Don'\''t ask where no login that works is replaced and no spent token put back]' \
'--yes[Don'\''t ask where no login that works is replaced and no spent token put back]' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'::copy -- One of the account'\''s own copies, or the beginning of its id:_default' \
&& ret=0
;;
(prune)
_arguments "${_arguments_options[@]}" : \
'--account=[Whose; without it the account that is chosen here]:NAME:_default' \
'--keep=[How many stay, besides the newest of each sign-in]:NUMBER:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
        esac
    ;;
esac
;;
(status)
_arguments "${_arguments_options[@]}" : \
'--account=[Only this account]:NAME:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'(--watch)--probe[Let the agent make one real, cheap call to its API]' \
'--watch[Print it again whenever it changes, until Ctrl-C]' \
'--json[Print it as JSON; with \`--watch\` one line a change]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(doctor)
_arguments "${_arguments_options[@]}" : \
'(--fix)--run=[Report from inside this live run instead]:ID:_default' \
'--backend=[Attack the containers of this engine, which is in that machine, too]:BACKEND:((podman\:"Podman"
docker\:"Docker"))' \
'--image=[The image of these containers]:REF:_default' \
'--peers=[Attack these other sandboxes beside ours]:FILE:_files' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--fix[Show what can be mended, ask, and mend it]' \
'-y[Don'\''t ask]' \
'--yes[Don'\''t ask]' \
'(--fix --run)--attack[Attack the sandbox of this machine instead, harmlessly, from a home made for it; exit with 1 where one succeeds]' \
'--inside[We are in the machine that is attacked already]' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(quarantine)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
":: :_coffer__subcmd__quarantine_commands" \
"*::: :->quarantine" \
&& ret=0

    case $state in
    (quarantine)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:coffer-quarantine-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--json[As one JSON document]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(restore)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--accept-config[Make the changes of git'\''s configuration, too]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':id -- What\: a run'\''s id for all of it, or the id of one thing:_default' \
&& ret=0
;;
        esac
    ;;
esac
;;
(ledger)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
":: :_coffer__subcmd__ledger_commands" \
"*::: :->ledger" \
&& ret=0

    case $state in
    (ledger)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:coffer-ledger-command-$line[1]:"
        case $line[1] in
            (show)
_arguments "${_arguments_options[@]}" : \
'--account=[Only of this account]:NAME:_default' \
'--run=[Only of this run]:ID:_default' \
'--since=[Only from then on\: \`2h\`, \`3d\`, a day or a time of RFC 3339 (both UTC unless they say otherwise)]:WHEN:_default' \
'*--event=[Only events with this word, for example \`refresh_ended\`]:WORD:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(verify)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
        esac
    ;;
esac
;;
(refresh)
_arguments "${_arguments_options[@]}" : \
'--account=[The account; without it the one that is chosen here]:NAME:_default' \
'(--now)--if-expiring=[Only when the access token ends within this time\: \`30m\`, \`2h\`]:DURATION:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--now[Also when it is not due; for \`host\` this edits the end of the access token in your own login file]' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(lab)
_arguments "${_arguments_options[@]}" : \
'--rounds=[Rounds of the race]:ROUNDS:_default' \
'--sandboxes=[Sandboxes that start at once in the race]:SANDBOXES:_default' \
'*--only=[Only lines of the race whose version and way contain this, for example \`2.1.330 coffer\`]:TEXT:_default' \
'*--claude=[The genuine agent to experiment with, instead of the one on the PATH]:PATH:_files' \
'--out=[Also write the results as a page (Markdown)]:FILE:_files' \
'--inside=[We are in the private network already, and this is our own program]:COFFER:_files' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':experiment -- Which experiment:((race\:"Many sandboxes at once on one expired login"
volume\:"What is odd about a login file or its folder, and what comes of it"
expiry\:"When the agent refreshes, and which of its commands does it without losing the answer"
priority\:"Which credential is sent when there are two, and which settings are read where"
identity\:"What identifies an installation, and which sandboxes have it in common"
mounts\:"How the ways to bind a login into a sandbox end"
all\:"All of them"))' \
&& ret=0
;;
(leaktest)
_arguments "${_arguments_options[@]}" : \
'*--profile=[Add a profile]:NAME:_default' \
'--agent=[The agent to run]:NAME:_default' \
'--account=[The account whose login is used]:NAME:_default' \
'--auth=[How the run gets to be signed in\: lease, gateway, shared, none]:MODE:_default' \
'--state=[Where the agent'\''s own files live\: project, shared, copy, fresh]:MODE:_default' \
'--network=[What it can talk to\: full, learn, dev, agent, none]:TIER:_default' \
'*--allow-write=[Let it write a path of the project that the host runs later (git hooks, editor tasks, the agent'\''s own settings)]:PATH:_default' \
'*--allow=[Let it reach a host; \`*.NAME\` is every name below NAME, and the port is 443 unless said]:HOST[:PORT]:_default' \
'*--forward=[Show it a service of this machine, at the same port or path]:PORT|unix:PATH:_default' \
'*--publish=[Show one of its ports on this machine'\''s loopback]:[HOST_PORT:]PORT:_default' \
'*--mount=[Show a path of the host inside; read-only unless \`\:rw\`]:SRC[:DST][:ro|rw]:_default' \
'*--env=[Pass a variable of the host, or set one]:NAME[=VALUE]:_default' \
'--workdir=[The working folder inside]:PATH:_default' \
'--backend=[What makes the sandbox\: bwrap, podman, docker]:KIND:_default' \
'--image=[The image of a container (\`--backend podman\` or \`docker\`); nothing is pulled]:REF:_default' \
'--memory=[How much memory it may use, swap included\: \`8G\`; or \`none\` for no limit]:SIZE:_default' \
'--pids=[How many processes and threads it may have at once; or \`none\`]:N:_default' \
'--cpus=[How many processors'\'' time it may use\: \`1.5\`; or \`none\`]:X:_default' \
'*--ssh-agent=[Let it sign with keys of your SSH agent\: all of them, or those with this comment (\`*\` stands for anything) or SHA256 fingerprint]::KEY:_default' \
'*--gpg-agent=[Let it sign with your GnuPG keys\: all of them, or those with this fingerprint, key id, keygrip or address]::KEY:_default' \
'--kind=[Test this kind of credential, instead of those that you have]:KIND:((subscription\:"A subscription that is signed in"
setup-token\:"A long-lived token for a subscription"
api-key\:"An API key"
auth-token\:"A bearer token"
helper\:"A program that prints a key"
cloud\:"A cloud provider'\''s own sign-in"))' \
'--seed=[What the canaries are made from, 32 hexadecimal digits\: whoever plants a leak has to know them]:HEX:_default' \
'--inside=[We are in the private network already, and this is the folder of the test]:PATH:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--unattended[Let the agent skip its own permission questions]' \
'--keep[Merge the working copy of \`--state copy\` back at the end]' \
'--accept-config[Let every change of git'\''s configuration reach the host at the end, not the harmless ones alone]' \
'--as-root-inside[Be uid 0 inside (in a user namespace without capabilities)]' \
'--allow-host-login[Let \`--auth shared\` share your own login]' \
'--allow-nesting[Let sandboxes be made inside\: namespaces and mounts; Landlock closes no files then]' \
'--gpg-agent-decrypt[Let it decrypt with the keys of \`--gpg-agent\`, too]' \
'--confirm-keys[Ask you (by \`ssh-askpass\`) each time before a key is used]' \
'--allow-container-engine[Let \`--forward\` or \`--mount\` show it a container engine\: it is root on this machine then]' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::command -- A command to run instead of the agent; arguments for the agent when the first begins with `-`:_default' \
&& ret=0
;;
(serve)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--unit[Print a systemd user unit that runs it, and nothing else]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(image)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
":: :_coffer__subcmd__image_commands" \
"*::: :->image" \
&& ret=0

    case $state in
    (image)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:coffer-image-command-$line[1]:"
        case $line[1] in
            (build)
_arguments "${_arguments_options[@]}" : \
'*--tool=[A development environment to put in; may be said again]:NAME:_default' \
'--base=[The image to build on\: Debian, Alpine, or one that derives from them]:REF:_default' \
'--agent=[The agent]:NAME:_default' \
'--agent-version=[Its version, instead of the one that was tried]:VERSION:_default' \
'--name=[What to call it, instead of localhost/coffer-AGENT and the tools]:REF:_default' \
'--backend=[Who builds it; the one that is there unless said]:BACKEND:((podman\:"Podman"
docker\:"Docker"))' \
'--npmrc=[npm'\''s configuration, where a registry of your own stands; it gets into no layer]:FILE:_default' \
'--ca-file=[Certificates of authorities to trust while something is fetched; they get into no layer]:FILE:_default' \
'--network=[Fetch by this machine'\''s own network, for a registry or a proxy on its loopback; by the engine'\''s unless said]:NETWORK:((host\:"This machine'\''s"))' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--print[Print the file that builds it, and build nothing]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
'--backend=[Whose; the one that is there unless said]:BACKEND:((podman\:"Podman"
docker\:"Docker"))' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--json[As one JSON document]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
        esac
    ;;
esac
;;
(gateway)
_arguments "${_arguments_options[@]}" : \
'*--listen=[Where to listen; without it on the socket that systemd hands over, or else on the usual one]:unix:PATH|127.0.0.1:PORT:_default' \
'(--listen)--unit=[Print the systemd user units that run it, or one of them, and nothing else]::UNIT:((socket\:"The socket, by which the service is started when it is first used"
service\:"The service"))' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
":: :_coffer__subcmd__gateway_commands" \
"*::: :->gateway" \
&& ret=0

    case $state in
    (gateway)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:coffer-gateway-command-$line[1]:"
        case $line[1] in
            (token)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
":: :_coffer__subcmd__gateway__subcmd__token_commands" \
"*::: :->token" \
&& ret=0

    case $state in
    (token)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:coffer-gateway-token-command-$line[1]:"
        case $line[1] in
            (create)
_arguments "${_arguments_options[@]}" : \
'--account=[The account whose credential its holder uses without ever having it]:NAME:_default' \
'--ttl=[When it ends\: \`30m\`, \`8h\`, \`7d\`]:DURATION:_default' \
'--network=[Whom its holder may reach by the proxy\: agent, dev]:TIER:_default' \
'*--allow=[And whom besides; \`*.NAME\` is every name below NAME, and the port is 443 unless said]:HOST[:PORT]:_default' \
'--label=[What it is for, in the list]:TEXT:_default' \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(revoke)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':id -- Its id, as the list has it:_default' \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
;;
(version)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--json[Print it as JSON]' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(gateway-of-run)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(key-agents-of-run)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(exec-launch)
_arguments "${_arguments_options[@]}" : \
'--color=[When to use colours]:COLOR:((auto\:"On terminals, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'-q[Print nothing but data and errors]' \
'--quiet[Print nothing but data and errors]' \
'(-q --quiet)-v[Print more\: the exact command of a run after its audit]' \
'(-q --quiet)--verbose[Print more\: the exact command of a run after its audit]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::words -- As printed:_default' \
&& ret=0
;;
        esac
    ;;
esac
}

(( $+functions[_coffer_commands] )) ||
_coffer_commands() {
    local commands; commands=(
'run:Run the agent, or a command, in a sandbox' \
'learn:Run the agent, or a command, with everybody in reach, and list whom it reached' \
'ps:List the runs that live' \
'stop:End runs' \
'allow:Let sandboxes reach a host' \
'plan:Show the plan of a run and nothing else' \
'why:Say which decision a path, a host or a variable rests on' \
'trust:Look at what the project asks for, and trust exactly this content' \
'try:Run the genuine agent, signed in, in a sandbox, against a practice API on this machine' \
'login:Sign in to an account, in a clean sandbox, with the genuine agent' \
'account:Named logins, keys and tokens' \
'backup:Sealed copies of logins, and whole accounts in sealed files' \
'status:Say what each account'\''s credential is worth, and which one wins here' \
'doctor:Say what is wrong, why it matters and what mends it' \
'quarantine:What runs left that this machine would run, moved aside' \
'ledger:The record of what was granted, refreshed, captured and changed' \
'refresh:Let the genuine client renew an account'\''s login, if it is due' \
'lab:Experiments with the genuine agent, run for real against the practice API' \
'leaktest:Prove with a canary that no byte of the login is in a sandbox with these flags' \
'serve:Keep the logins of all accounts fresh until it is ended' \
'image:Images for containers, with the agent and a development environment' \
'gateway:Serve the gateway alone, in front of containers and other people'\''s sandboxes' \
'version:Print the version' \
'gateway-of-run:Be the gateway of a run; what to do comes on standard input' \
'key-agents-of-run:Be the filters in front of the user'\''s keys; what to do comes on standard input' \
'exec-launch:Start a launch that \`run --dry-run=command\` printed' \
    )
    _describe -t commands 'coffer commands' commands "$@"
}
(( $+functions[_coffer__subcmd__account_commands] )) ||
_coffer__subcmd__account_commands() {
    local commands; commands=(
'add:Add one; a key or token is read from stdin, or asked for without echo' \
'import:Adopt a login that was made or captured elsewhere' \
'list:List them' \
'show:Say what one is, and where what seals its secrets lives' \
'remove:Remove one; a sealed copy of its login is kept' \
'rename:Rename one' \
'use:Use one from now on, everywhere or for the project here' \
    )
    _describe -t commands 'coffer account commands' commands "$@"
}
(( $+functions[_coffer__subcmd__account__subcmd__add_commands] )) ||
_coffer__subcmd__account__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'coffer account add commands' commands "$@"
}
(( $+functions[_coffer__subcmd__account__subcmd__import_commands] )) ||
_coffer__subcmd__account__subcmd__import_commands() {
    local commands; commands=()
    _describe -t commands 'coffer account import commands' commands "$@"
}
(( $+functions[_coffer__subcmd__account__subcmd__list_commands] )) ||
_coffer__subcmd__account__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'coffer account list commands' commands "$@"
}
(( $+functions[_coffer__subcmd__account__subcmd__remove_commands] )) ||
_coffer__subcmd__account__subcmd__remove_commands() {
    local commands; commands=()
    _describe -t commands 'coffer account remove commands' commands "$@"
}
(( $+functions[_coffer__subcmd__account__subcmd__rename_commands] )) ||
_coffer__subcmd__account__subcmd__rename_commands() {
    local commands; commands=()
    _describe -t commands 'coffer account rename commands' commands "$@"
}
(( $+functions[_coffer__subcmd__account__subcmd__show_commands] )) ||
_coffer__subcmd__account__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'coffer account show commands' commands "$@"
}
(( $+functions[_coffer__subcmd__account__subcmd__use_commands] )) ||
_coffer__subcmd__account__subcmd__use_commands() {
    local commands; commands=()
    _describe -t commands 'coffer account use commands' commands "$@"
}
(( $+functions[_coffer__subcmd__allow_commands] )) ||
_coffer__subcmd__allow_commands() {
    local commands; commands=()
    _describe -t commands 'coffer allow commands' commands "$@"
}
(( $+functions[_coffer__subcmd__backup_commands] )) ||
_coffer__subcmd__backup_commands() {
    local commands; commands=(
'create:Seal a copy of a login, or a whole account into a file' \
'list:List the sealed copies of a login' \
'verify:Open and read every copy, or these files' \
'restore:Put a login, or a whole account, back' \
'prune:Remove the oldest copies' \
    )
    _describe -t commands 'coffer backup commands' commands "$@"
}
(( $+functions[_coffer__subcmd__backup__subcmd__create_commands] )) ||
_coffer__subcmd__backup__subcmd__create_commands() {
    local commands; commands=()
    _describe -t commands 'coffer backup create commands' commands "$@"
}
(( $+functions[_coffer__subcmd__backup__subcmd__list_commands] )) ||
_coffer__subcmd__backup__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'coffer backup list commands' commands "$@"
}
(( $+functions[_coffer__subcmd__backup__subcmd__prune_commands] )) ||
_coffer__subcmd__backup__subcmd__prune_commands() {
    local commands; commands=()
    _describe -t commands 'coffer backup prune commands' commands "$@"
}
(( $+functions[_coffer__subcmd__backup__subcmd__restore_commands] )) ||
_coffer__subcmd__backup__subcmd__restore_commands() {
    local commands; commands=()
    _describe -t commands 'coffer backup restore commands' commands "$@"
}
(( $+functions[_coffer__subcmd__backup__subcmd__verify_commands] )) ||
_coffer__subcmd__backup__subcmd__verify_commands() {
    local commands; commands=()
    _describe -t commands 'coffer backup verify commands' commands "$@"
}
(( $+functions[_coffer__subcmd__doctor_commands] )) ||
_coffer__subcmd__doctor_commands() {
    local commands; commands=()
    _describe -t commands 'coffer doctor commands' commands "$@"
}
(( $+functions[_coffer__subcmd__exec-launch_commands] )) ||
_coffer__subcmd__exec-launch_commands() {
    local commands; commands=()
    _describe -t commands 'coffer exec-launch commands' commands "$@"
}
(( $+functions[_coffer__subcmd__gateway_commands] )) ||
_coffer__subcmd__gateway_commands() {
    local commands; commands=(
'token:Who may use it' \
    )
    _describe -t commands 'coffer gateway commands' commands "$@"
}
(( $+functions[_coffer__subcmd__gateway__subcmd__token_commands] )) ||
_coffer__subcmd__gateway__subcmd__token_commands() {
    local commands; commands=(
'create:Make one, and print it this once; what to set with it goes to stderr' \
'list:List them' \
'revoke:Take one away; it counts for nothing from the next request on, and its tunnels end' \
    )
    _describe -t commands 'coffer gateway token commands' commands "$@"
}
(( $+functions[_coffer__subcmd__gateway__subcmd__token__subcmd__create_commands] )) ||
_coffer__subcmd__gateway__subcmd__token__subcmd__create_commands() {
    local commands; commands=()
    _describe -t commands 'coffer gateway token create commands' commands "$@"
}
(( $+functions[_coffer__subcmd__gateway__subcmd__token__subcmd__list_commands] )) ||
_coffer__subcmd__gateway__subcmd__token__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'coffer gateway token list commands' commands "$@"
}
(( $+functions[_coffer__subcmd__gateway__subcmd__token__subcmd__revoke_commands] )) ||
_coffer__subcmd__gateway__subcmd__token__subcmd__revoke_commands() {
    local commands; commands=()
    _describe -t commands 'coffer gateway token revoke commands' commands "$@"
}
(( $+functions[_coffer__subcmd__gateway-of-run_commands] )) ||
_coffer__subcmd__gateway-of-run_commands() {
    local commands; commands=()
    _describe -t commands 'coffer gateway-of-run commands' commands "$@"
}
(( $+functions[_coffer__subcmd__image_commands] )) ||
_coffer__subcmd__image_commands() {
    local commands; commands=(
'build:Build an image with the agent, git, ripgrep and a development environment' \
'list:List the images that were built' \
    )
    _describe -t commands 'coffer image commands' commands "$@"
}
(( $+functions[_coffer__subcmd__image__subcmd__build_commands] )) ||
_coffer__subcmd__image__subcmd__build_commands() {
    local commands; commands=()
    _describe -t commands 'coffer image build commands' commands "$@"
}
(( $+functions[_coffer__subcmd__image__subcmd__list_commands] )) ||
_coffer__subcmd__image__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'coffer image list commands' commands "$@"
}
(( $+functions[_coffer__subcmd__key-agents-of-run_commands] )) ||
_coffer__subcmd__key-agents-of-run_commands() {
    local commands; commands=()
    _describe -t commands 'coffer key-agents-of-run commands' commands "$@"
}
(( $+functions[_coffer__subcmd__lab_commands] )) ||
_coffer__subcmd__lab_commands() {
    local commands; commands=()
    _describe -t commands 'coffer lab commands' commands "$@"
}
(( $+functions[_coffer__subcmd__leaktest_commands] )) ||
_coffer__subcmd__leaktest_commands() {
    local commands; commands=()
    _describe -t commands 'coffer leaktest commands' commands "$@"
}
(( $+functions[_coffer__subcmd__learn_commands] )) ||
_coffer__subcmd__learn_commands() {
    local commands; commands=()
    _describe -t commands 'coffer learn commands' commands "$@"
}
(( $+functions[_coffer__subcmd__ledger_commands] )) ||
_coffer__subcmd__ledger_commands() {
    local commands; commands=(
'show:Print its entries' \
'verify:Follow the chain of hashes; exit with 1 where it breaks' \
    )
    _describe -t commands 'coffer ledger commands' commands "$@"
}
(( $+functions[_coffer__subcmd__ledger__subcmd__show_commands] )) ||
_coffer__subcmd__ledger__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'coffer ledger show commands' commands "$@"
}
(( $+functions[_coffer__subcmd__ledger__subcmd__verify_commands] )) ||
_coffer__subcmd__ledger__subcmd__verify_commands() {
    local commands; commands=()
    _describe -t commands 'coffer ledger verify commands' commands "$@"
}
(( $+functions[_coffer__subcmd__login_commands] )) ||
_coffer__subcmd__login_commands() {
    local commands; commands=()
    _describe -t commands 'coffer login commands' commands "$@"
}
(( $+functions[_coffer__subcmd__plan_commands] )) ||
_coffer__subcmd__plan_commands() {
    local commands; commands=()
    _describe -t commands 'coffer plan commands' commands "$@"
}
(( $+functions[_coffer__subcmd__ps_commands] )) ||
_coffer__subcmd__ps_commands() {
    local commands; commands=()
    _describe -t commands 'coffer ps commands' commands "$@"
}
(( $+functions[_coffer__subcmd__quarantine_commands] )) ||
_coffer__subcmd__quarantine_commands() {
    local commands; commands=(
'list:List what was moved aside, and why' \
'restore:Take something back' \
    )
    _describe -t commands 'coffer quarantine commands' commands "$@"
}
(( $+functions[_coffer__subcmd__quarantine__subcmd__list_commands] )) ||
_coffer__subcmd__quarantine__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'coffer quarantine list commands' commands "$@"
}
(( $+functions[_coffer__subcmd__quarantine__subcmd__restore_commands] )) ||
_coffer__subcmd__quarantine__subcmd__restore_commands() {
    local commands; commands=()
    _describe -t commands 'coffer quarantine restore commands' commands "$@"
}
(( $+functions[_coffer__subcmd__refresh_commands] )) ||
_coffer__subcmd__refresh_commands() {
    local commands; commands=()
    _describe -t commands 'coffer refresh commands' commands "$@"
}
(( $+functions[_coffer__subcmd__run_commands] )) ||
_coffer__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'coffer run commands' commands "$@"
}
(( $+functions[_coffer__subcmd__serve_commands] )) ||
_coffer__subcmd__serve_commands() {
    local commands; commands=()
    _describe -t commands 'coffer serve commands' commands "$@"
}
(( $+functions[_coffer__subcmd__status_commands] )) ||
_coffer__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'coffer status commands' commands "$@"
}
(( $+functions[_coffer__subcmd__stop_commands] )) ||
_coffer__subcmd__stop_commands() {
    local commands; commands=()
    _describe -t commands 'coffer stop commands' commands "$@"
}
(( $+functions[_coffer__subcmd__trust_commands] )) ||
_coffer__subcmd__trust_commands() {
    local commands; commands=()
    _describe -t commands 'coffer trust commands' commands "$@"
}
(( $+functions[_coffer__subcmd__try_commands] )) ||
_coffer__subcmd__try_commands() {
    local commands; commands=()
    _describe -t commands 'coffer try commands' commands "$@"
}
(( $+functions[_coffer__subcmd__version_commands] )) ||
_coffer__subcmd__version_commands() {
    local commands; commands=()
    _describe -t commands 'coffer version commands' commands "$@"
}
(( $+functions[_coffer__subcmd__why_commands] )) ||
_coffer__subcmd__why_commands() {
    local commands; commands=()
    _describe -t commands 'coffer why commands' commands "$@"
}

if [ "$funcstack[1]" = "_coffer" ]; then
    _coffer "$@"
else
    compdef _coffer coffer
fi
