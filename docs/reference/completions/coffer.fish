# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_coffer_global_optspecs
    string join \n color= q/quiet v/verbose h/help V/version
end

function __fish_coffer_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_coffer_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_coffer_using_subcommand
    set -l cmd (__fish_coffer_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c coffer -n "__fish_coffer_needs_command" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_needs_command" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_needs_command" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_needs_command" -s V -l version -d 'Print version'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "run" -d 'Run the agent, or a command, in a sandbox'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "learn" -d 'Run the agent, or a command, with everybody in reach, and list whom it reached'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "ps" -d 'List the runs that live'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "stop" -d 'End runs'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "allow" -d 'Let sandboxes reach a host'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "plan" -d 'Show the plan of a run and nothing else'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "why" -d 'Say which decision a path, a host or a variable rests on'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "trust" -d 'Look at what the project asks for, and trust exactly this content'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "try" -d 'Run the genuine agent, signed in, in a sandbox, against a practice API on this machine'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "login" -d 'Sign in to an account, in a clean sandbox, with the genuine agent'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "account" -d 'Named logins, keys and tokens'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "backup" -d 'Sealed copies of logins, and whole accounts in sealed files'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "status" -d 'Say what each account\'s credential is worth, and which one wins here'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "doctor" -d 'Say what is wrong, why it matters and what mends it'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "quarantine" -d 'What runs left that this machine would run, moved aside'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "ledger" -d 'The record of what was granted, refreshed, captured and changed'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "refresh" -d 'Let the genuine client renew an account\'s login, if it is due'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "lab" -d 'Experiments with the genuine agent, run for real against the practice API'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "leaktest" -d 'Prove with a canary that no byte of the login is in a sandbox with these flags'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "serve" -d 'Keep the logins of all accounts fresh until it is ended'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "image" -d 'Images for containers, with the agent and a development environment'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "gateway" -d 'Serve the gateway alone, in front of containers and other people\'s sandboxes'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "version" -d 'Print the version'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "gateway-of-run" -d 'Be the gateway of a run; what to do comes on standard input'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "key-agents-of-run" -d 'Be the filters in front of the user\'s keys; what to do comes on standard input'
complete -c coffer -n "__fish_coffer_needs_command" -f -a "exec-launch" -d 'Start a launch that `run --dry-run=command` printed'
complete -c coffer -n "__fish_coffer_using_subcommand run" -l profile -d 'Add a profile' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l agent -d 'The agent to run' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l account -d 'The account whose login is used' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l auth -d 'How the run gets to be signed in: lease, gateway, shared, none' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l state -d 'Where the agent\'s own files live: project, shared, copy, fresh' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l network -d 'What it can talk to: full, learn, dev, agent, none' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l allow-write -d 'Let it write a path of the project that the host runs later (git hooks, editor tasks, the agent\'s own settings)' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l allow -d 'Let it reach a host; `*.NAME` is every name below NAME, and the port is 443 unless said' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l forward -d 'Show it a service of this machine, at the same port or path' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l publish -d 'Show one of its ports on this machine\'s loopback' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l mount -d 'Show a path of the host inside; read-only unless `:rw`' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l env -d 'Pass a variable of the host, or set one' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l workdir -d 'The working folder inside' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l backend -d 'What makes the sandbox: bwrap, podman, docker' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l image -d 'The image of a container (`--backend podman` or `docker`); nothing is pulled' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l memory -d 'How much memory it may use, swap included: `8G`; or `none` for no limit' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l pids -d 'How many processes and threads it may have at once; or `none`' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l cpus -d 'How many processors\' time it may use: `1.5`; or `none`' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l ssh-agent -d 'Let it sign with keys of your SSH agent: all of them, or those with this comment (`*` stands for anything) or SHA256 fingerprint' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l gpg-agent -d 'Let it sign with your GnuPG keys: all of them, or those with this fingerprint, key id, keygrip or address' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l dry-run -d 'Print the plan and the exact command instead of running it' -r -f -a "text\t'The audit and the command'
json\t'The plan as JSON'
command\t'The command, as one line that can be pasted'"
complete -c coffer -n "__fish_coffer_using_subcommand run" -l audit -d 'When to print the audit: always, changed, never' -r
complete -c coffer -n "__fish_coffer_using_subcommand run" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand run" -l unattended -d 'Let the agent skip its own permission questions'
complete -c coffer -n "__fish_coffer_using_subcommand run" -l keep -d 'Merge the working copy of `--state copy` back at the end'
complete -c coffer -n "__fish_coffer_using_subcommand run" -l accept-config -d 'Let every change of git\'s configuration reach the host at the end, not the harmless ones alone'
complete -c coffer -n "__fish_coffer_using_subcommand run" -l as-root-inside -d 'Be uid 0 inside (in a user namespace without capabilities)'
complete -c coffer -n "__fish_coffer_using_subcommand run" -l allow-host-login -d 'Let `--auth shared` share your own login'
complete -c coffer -n "__fish_coffer_using_subcommand run" -l allow-nesting -d 'Let sandboxes be made inside: namespaces and mounts; Landlock closes no files then'
complete -c coffer -n "__fish_coffer_using_subcommand run" -l gpg-agent-decrypt -d 'Let it decrypt with the keys of `--gpg-agent`, too'
complete -c coffer -n "__fish_coffer_using_subcommand run" -l confirm-keys -d 'Ask you (by `ssh-askpass`) each time before a key is used'
complete -c coffer -n "__fish_coffer_using_subcommand run" -l allow-container-engine -d 'Let `--forward` or `--mount` show it a container engine: it is root on this machine then'
complete -c coffer -n "__fish_coffer_using_subcommand run" -s y -l yes -d 'Don\'t ask, also when the plan has grown since the last run here'
complete -c coffer -n "__fish_coffer_using_subcommand run" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand run" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l profile -d 'Add a profile' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l agent -d 'The agent to run' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l account -d 'The account whose login is used' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l auth -d 'How the run gets to be signed in: lease, gateway, shared, none' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l state -d 'Where the agent\'s own files live: project, shared, copy, fresh' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l network -d 'What it can talk to: full, learn, dev, agent, none' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l allow-write -d 'Let it write a path of the project that the host runs later (git hooks, editor tasks, the agent\'s own settings)' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l allow -d 'Let it reach a host; `*.NAME` is every name below NAME, and the port is 443 unless said' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l forward -d 'Show it a service of this machine, at the same port or path' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l publish -d 'Show one of its ports on this machine\'s loopback' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l mount -d 'Show a path of the host inside; read-only unless `:rw`' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l env -d 'Pass a variable of the host, or set one' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l workdir -d 'The working folder inside' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l backend -d 'What makes the sandbox: bwrap, podman, docker' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l image -d 'The image of a container (`--backend podman` or `docker`); nothing is pulled' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l memory -d 'How much memory it may use, swap included: `8G`; or `none` for no limit' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l pids -d 'How many processes and threads it may have at once; or `none`' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l cpus -d 'How many processors\' time it may use: `1.5`; or `none`' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l ssh-agent -d 'Let it sign with keys of your SSH agent: all of them, or those with this comment (`*` stands for anything) or SHA256 fingerprint' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l gpg-agent -d 'Let it sign with your GnuPG keys: all of them, or those with this fingerprint, key id, keygrip or address' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l dry-run -d 'Print the plan and the exact command instead of running it' -r -f -a "text\t'The audit and the command'
json\t'The plan as JSON'
command\t'The command, as one line that can be pasted'"
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l audit -d 'When to print the audit: always, changed, never' -r
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l unattended -d 'Let the agent skip its own permission questions'
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l keep -d 'Merge the working copy of `--state copy` back at the end'
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l accept-config -d 'Let every change of git\'s configuration reach the host at the end, not the harmless ones alone'
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l as-root-inside -d 'Be uid 0 inside (in a user namespace without capabilities)'
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l allow-host-login -d 'Let `--auth shared` share your own login'
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l allow-nesting -d 'Let sandboxes be made inside: namespaces and mounts; Landlock closes no files then'
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l gpg-agent-decrypt -d 'Let it decrypt with the keys of `--gpg-agent`, too'
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l confirm-keys -d 'Ask you (by `ssh-askpass`) each time before a key is used'
complete -c coffer -n "__fish_coffer_using_subcommand learn" -l allow-container-engine -d 'Let `--forward` or `--mount` show it a container engine: it is root on this machine then'
complete -c coffer -n "__fish_coffer_using_subcommand learn" -s y -l yes -d 'Don\'t ask, also when the plan has grown since the last run here'
complete -c coffer -n "__fish_coffer_using_subcommand learn" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand learn" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand learn" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand ps" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand ps" -l json -d 'As one JSON document'
complete -c coffer -n "__fish_coffer_using_subcommand ps" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand ps" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand ps" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand stop" -l time -d 'After so many seconds a run that goes on is killed' -r
complete -c coffer -n "__fish_coffer_using_subcommand stop" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand stop" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand stop" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand allow" -l run -d 'A run that is at work, or a token of a gateway, reaches them at once' -r
complete -c coffer -n "__fish_coffer_using_subcommand allow" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand allow" -l here -d 'For this project only'
complete -c coffer -n "__fish_coffer_using_subcommand allow" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand allow" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand allow" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l profile -d 'Add a profile' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l agent -d 'The agent to run' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l account -d 'The account whose login is used' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l auth -d 'How the run gets to be signed in: lease, gateway, shared, none' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l state -d 'Where the agent\'s own files live: project, shared, copy, fresh' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l network -d 'What it can talk to: full, learn, dev, agent, none' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l allow-write -d 'Let it write a path of the project that the host runs later (git hooks, editor tasks, the agent\'s own settings)' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l allow -d 'Let it reach a host; `*.NAME` is every name below NAME, and the port is 443 unless said' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l forward -d 'Show it a service of this machine, at the same port or path' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l publish -d 'Show one of its ports on this machine\'s loopback' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l mount -d 'Show a path of the host inside; read-only unless `:rw`' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l env -d 'Pass a variable of the host, or set one' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l workdir -d 'The working folder inside' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l backend -d 'What makes the sandbox: bwrap, podman, docker' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l image -d 'The image of a container (`--backend podman` or `docker`); nothing is pulled' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l memory -d 'How much memory it may use, swap included: `8G`; or `none` for no limit' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l pids -d 'How many processes and threads it may have at once; or `none`' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l cpus -d 'How many processors\' time it may use: `1.5`; or `none`' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l ssh-agent -d 'Let it sign with keys of your SSH agent: all of them, or those with this comment (`*` stands for anything) or SHA256 fingerprint' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l gpg-agent -d 'Let it sign with your GnuPG keys: all of them, or those with this fingerprint, key id, keygrip or address' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l facts -d 'Plan for a machine whose facts were saved, instead of this one' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l save-facts -d 'Save this machine\'s facts' -r
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l unattended -d 'Let the agent skip its own permission questions'
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l keep -d 'Merge the working copy of `--state copy` back at the end'
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l accept-config -d 'Let every change of git\'s configuration reach the host at the end, not the harmless ones alone'
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l as-root-inside -d 'Be uid 0 inside (in a user namespace without capabilities)'
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l allow-host-login -d 'Let `--auth shared` share your own login'
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l allow-nesting -d 'Let sandboxes be made inside: namespaces and mounts; Landlock closes no files then'
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l gpg-agent-decrypt -d 'Let it decrypt with the keys of `--gpg-agent`, too'
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l confirm-keys -d 'Ask you (by `ssh-askpass`) each time before a key is used'
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l allow-container-engine -d 'Let `--forward` or `--mount` show it a container engine: it is root on this machine then'
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l diff -d 'Print what changed since the last run here'
complete -c coffer -n "__fish_coffer_using_subcommand plan" -l check -d 'Exit with 1 when it differs from the last run\'s'
complete -c coffer -n "__fish_coffer_using_subcommand plan" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand plan" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand plan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand why" -l profile -d 'Add a profile' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l agent -d 'The agent to run' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l account -d 'The account whose login is used' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l auth -d 'How the run gets to be signed in: lease, gateway, shared, none' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l state -d 'Where the agent\'s own files live: project, shared, copy, fresh' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l network -d 'What it can talk to: full, learn, dev, agent, none' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l allow-write -d 'Let it write a path of the project that the host runs later (git hooks, editor tasks, the agent\'s own settings)' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l allow -d 'Let it reach a host; `*.NAME` is every name below NAME, and the port is 443 unless said' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l forward -d 'Show it a service of this machine, at the same port or path' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l publish -d 'Show one of its ports on this machine\'s loopback' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l mount -d 'Show a path of the host inside; read-only unless `:rw`' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l env -d 'Pass a variable of the host, or set one' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l workdir -d 'The working folder inside' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l backend -d 'What makes the sandbox: bwrap, podman, docker' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l image -d 'The image of a container (`--backend podman` or `docker`); nothing is pulled' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l memory -d 'How much memory it may use, swap included: `8G`; or `none` for no limit' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l pids -d 'How many processes and threads it may have at once; or `none`' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l cpus -d 'How many processors\' time it may use: `1.5`; or `none`' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l ssh-agent -d 'Let it sign with keys of your SSH agent: all of them, or those with this comment (`*` stands for anything) or SHA256 fingerprint' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l gpg-agent -d 'Let it sign with your GnuPG keys: all of them, or those with this fingerprint, key id, keygrip or address' -r
complete -c coffer -n "__fish_coffer_using_subcommand why" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand why" -l unattended -d 'Let the agent skip its own permission questions'
complete -c coffer -n "__fish_coffer_using_subcommand why" -l keep -d 'Merge the working copy of `--state copy` back at the end'
complete -c coffer -n "__fish_coffer_using_subcommand why" -l accept-config -d 'Let every change of git\'s configuration reach the host at the end, not the harmless ones alone'
complete -c coffer -n "__fish_coffer_using_subcommand why" -l as-root-inside -d 'Be uid 0 inside (in a user namespace without capabilities)'
complete -c coffer -n "__fish_coffer_using_subcommand why" -l allow-host-login -d 'Let `--auth shared` share your own login'
complete -c coffer -n "__fish_coffer_using_subcommand why" -l allow-nesting -d 'Let sandboxes be made inside: namespaces and mounts; Landlock closes no files then'
complete -c coffer -n "__fish_coffer_using_subcommand why" -l gpg-agent-decrypt -d 'Let it decrypt with the keys of `--gpg-agent`, too'
complete -c coffer -n "__fish_coffer_using_subcommand why" -l confirm-keys -d 'Ask you (by `ssh-askpass`) each time before a key is used'
complete -c coffer -n "__fish_coffer_using_subcommand why" -l allow-container-engine -d 'Let `--forward` or `--mount` show it a container engine: it is root on this machine then'
complete -c coffer -n "__fish_coffer_using_subcommand why" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand why" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand why" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand why" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand trust" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand trust" -s y -l yes -d 'Don\'t ask'
complete -c coffer -n "__fish_coffer_using_subcommand trust" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand trust" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand trust" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand trust" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand try" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand try" -l keep -d 'Keep the practice folder, and say where it is'
complete -c coffer -n "__fish_coffer_using_subcommand try" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand try" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand try" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand login" -l account -d 'The account; it is made where it does not exist' -r
complete -c coffer -n "__fish_coffer_using_subcommand login" -l agent -d 'The agent to sign in with' -r
complete -c coffer -n "__fish_coffer_using_subcommand login" -l debug-log -d 'Write a log of the sign-in without tokens' -r
complete -c coffer -n "__fish_coffer_using_subcommand login" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand login" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand login" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand login" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand account; and not __fish_seen_subcommand_from add import list show remove rename use" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand account; and not __fish_seen_subcommand_from add import list show remove rename use" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand account; and not __fish_seen_subcommand_from add import list show remove rename use" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand account; and not __fish_seen_subcommand_from add import list show remove rename use" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand account; and not __fish_seen_subcommand_from add import list show remove rename use" -f -a "add" -d 'Add one; a key or token is read from stdin, or asked for without echo'
complete -c coffer -n "__fish_coffer_using_subcommand account; and not __fish_seen_subcommand_from add import list show remove rename use" -f -a "import" -d 'Adopt a login that was made or captured elsewhere'
complete -c coffer -n "__fish_coffer_using_subcommand account; and not __fish_seen_subcommand_from add import list show remove rename use" -f -a "list" -d 'List them'
complete -c coffer -n "__fish_coffer_using_subcommand account; and not __fish_seen_subcommand_from add import list show remove rename use" -f -a "show" -d 'Say what one is, and where what seals its secrets lives'
complete -c coffer -n "__fish_coffer_using_subcommand account; and not __fish_seen_subcommand_from add import list show remove rename use" -f -a "remove" -d 'Remove one; a sealed copy of its login is kept'
complete -c coffer -n "__fish_coffer_using_subcommand account; and not __fish_seen_subcommand_from add import list show remove rename use" -f -a "rename" -d 'Rename one'
complete -c coffer -n "__fish_coffer_using_subcommand account; and not __fish_seen_subcommand_from add import list show remove rename use" -f -a "use" -d 'Use one from now on, everywhere or for the project here'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from add" -l kind -d 'What its credential is' -r -f -a "subscription\t'A subscription that is signed in'
setup-token\t'A long-lived token for a subscription'
api-key\t'An API key'
auth-token\t'A bearer token'
helper\t'A program that prints a key'
cloud\t'A cloud provider\'s own sign-in'"
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from add" -l base-url -d 'Another provider of the API, or a gateway' -r
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from add" -l model -d 'The model to ask for' -r
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from add" -l timeout -d 'Time-out of a request, such as `90s` or `10m`' -r
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from add" -l agent -d 'The agent that it is for' -r
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from add" -l helper -d 'The program that prints the key, and its arguments; stands last' -r
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from add" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from add" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from import" -l agent -d 'The agent whose login it is' -r
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from import" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from import" -l pending -d 'Adopt the newest sign-in that was made inside a run and waits'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from import" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from import" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from list" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from list" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from show" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from show" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from remove" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from remove" -l purge -d 'Keep no sealed copy either'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from remove" -s y -l yes -d 'Don\'t ask'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from remove" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from remove" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from remove" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from rename" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from rename" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from rename" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from rename" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from rename" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from use" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from use" -l here -d 'For the project here only'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from use" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from use" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from use" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand account; and __fish_seen_subcommand_from use" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and not __fish_seen_subcommand_from create list verify restore prune" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand backup; and not __fish_seen_subcommand_from create list verify restore prune" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and not __fish_seen_subcommand_from create list verify restore prune" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and not __fish_seen_subcommand_from create list verify restore prune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and not __fish_seen_subcommand_from create list verify restore prune" -f -a "create" -d 'Seal a copy of a login, or a whole account into a file'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and not __fish_seen_subcommand_from create list verify restore prune" -f -a "list" -d 'List the sealed copies of a login'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and not __fish_seen_subcommand_from create list verify restore prune" -f -a "verify" -d 'Open and read every copy, or these files'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and not __fish_seen_subcommand_from create list verify restore prune" -f -a "restore" -d 'Put a login, or a whole account, back'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and not __fish_seen_subcommand_from create list verify restore prune" -f -a "prune" -d 'Remove the oldest copies'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from create" -l account -d 'Whose; without it the account that is chosen here' -r
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from create" -l to -d 'A file that is not there yet, or a folder; without it the copy goes to the account\'s own' -r
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from create" -l recipient -d 'Who may open it, too: `age1…`, `ssh-ed25519 …`, or a file of these' -r
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from create" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from create" -l state -d 'The whole account, with its state'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from create" -l passphrase -d 'Seal it with a passphrase, from stdin or asked for without echo'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from create" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from create" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from create" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from list" -l account -d 'Whose; without it the account that is chosen here' -r
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from list" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from list" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from verify" -l account -d 'Whose; without it the account that is chosen here' -r
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from verify" -l identity -d 'A file with an `age` identity, or an `ssh-ed25519` key, that opens it' -r
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from verify" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from verify" -l passphrase -d 'It was sealed with a passphrase, which comes from stdin or is asked for without echo'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from verify" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from verify" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from verify" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from restore" -l from -d 'A backup in a file instead' -r
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from restore" -l account -d 'Into which account; one that is not there is added' -r
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from restore" -l identity -d 'A file with an `age` identity, or an `ssh-ed25519` key, that opens it' -r
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from restore" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from restore" -l state -d 'The state as well'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from restore" -l passphrase -d 'It was sealed with a passphrase, which comes from stdin or is asked for without echo'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from restore" -s y -l yes -d 'Don\'t ask where no login that works is replaced and no spent token put back'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from restore" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from restore" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from restore" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from prune" -l account -d 'Whose; without it the account that is chosen here' -r
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from prune" -l keep -d 'How many stay, besides the newest of each sign-in' -r
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from prune" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from prune" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from prune" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from prune" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand backup; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand status" -l account -d 'Only this account' -r
complete -c coffer -n "__fish_coffer_using_subcommand status" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand status" -l probe -d 'Let the agent make one real, cheap call to its API'
complete -c coffer -n "__fish_coffer_using_subcommand status" -l watch -d 'Print it again whenever it changes, until Ctrl-C'
complete -c coffer -n "__fish_coffer_using_subcommand status" -l json -d 'Print it as JSON; with `--watch` one line a change'
complete -c coffer -n "__fish_coffer_using_subcommand status" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand status" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand doctor" -l run -d 'Report from inside this live run instead' -r
complete -c coffer -n "__fish_coffer_using_subcommand doctor" -l backend -d 'Attack the containers of this engine, which is in that machine, too' -r -f -a "podman\t'Podman'
docker\t'Docker'"
complete -c coffer -n "__fish_coffer_using_subcommand doctor" -l image -d 'The image of these containers' -r
complete -c coffer -n "__fish_coffer_using_subcommand doctor" -l peers -d 'Attack these other sandboxes beside ours' -r -F
complete -c coffer -n "__fish_coffer_using_subcommand doctor" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand doctor" -l fix -d 'Show what can be mended, ask, and mend it'
complete -c coffer -n "__fish_coffer_using_subcommand doctor" -s y -l yes -d 'Don\'t ask'
complete -c coffer -n "__fish_coffer_using_subcommand doctor" -l attack -d 'Attack the sandbox of this machine instead, harmlessly, from a home made for it; exit with 1 where one succeeds'
complete -c coffer -n "__fish_coffer_using_subcommand doctor" -l inside -d 'We are in the machine that is attacked already'
complete -c coffer -n "__fish_coffer_using_subcommand doctor" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand doctor" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand doctor" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand quarantine; and not __fish_seen_subcommand_from list restore" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand quarantine; and not __fish_seen_subcommand_from list restore" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand quarantine; and not __fish_seen_subcommand_from list restore" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand quarantine; and not __fish_seen_subcommand_from list restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand quarantine; and not __fish_seen_subcommand_from list restore" -f -a "list" -d 'List what was moved aside, and why'
complete -c coffer -n "__fish_coffer_using_subcommand quarantine; and not __fish_seen_subcommand_from list restore" -f -a "restore" -d 'Take something back'
complete -c coffer -n "__fish_coffer_using_subcommand quarantine; and __fish_seen_subcommand_from list" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand quarantine; and __fish_seen_subcommand_from list" -l json -d 'As one JSON document'
complete -c coffer -n "__fish_coffer_using_subcommand quarantine; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand quarantine; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand quarantine; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand quarantine; and __fish_seen_subcommand_from restore" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand quarantine; and __fish_seen_subcommand_from restore" -l accept-config -d 'Make the changes of git\'s configuration, too'
complete -c coffer -n "__fish_coffer_using_subcommand quarantine; and __fish_seen_subcommand_from restore" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand quarantine; and __fish_seen_subcommand_from restore" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand quarantine; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and not __fish_seen_subcommand_from show verify" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and not __fish_seen_subcommand_from show verify" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and not __fish_seen_subcommand_from show verify" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and not __fish_seen_subcommand_from show verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and not __fish_seen_subcommand_from show verify" -f -a "show" -d 'Print its entries'
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and not __fish_seen_subcommand_from show verify" -f -a "verify" -d 'Follow the chain of hashes; exit with 1 where it breaks'
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and __fish_seen_subcommand_from show" -l account -d 'Only of this account' -r
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and __fish_seen_subcommand_from show" -l run -d 'Only of this run' -r
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and __fish_seen_subcommand_from show" -l since -d 'Only from then on: `2h`, `3d`, a day or a time of RFC 3339 (both UTC unless they say otherwise)' -r
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and __fish_seen_subcommand_from show" -l event -d 'Only events with this word, for example `refresh_ended`' -r
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and __fish_seen_subcommand_from show" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and __fish_seen_subcommand_from show" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and __fish_seen_subcommand_from verify" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and __fish_seen_subcommand_from verify" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and __fish_seen_subcommand_from verify" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and __fish_seen_subcommand_from verify" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand ledger; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand refresh" -l account -d 'The account; without it the one that is chosen here' -r
complete -c coffer -n "__fish_coffer_using_subcommand refresh" -l if-expiring -d 'Only when the access token ends within this time: `30m`, `2h`' -r
complete -c coffer -n "__fish_coffer_using_subcommand refresh" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand refresh" -l now -d 'Also when it is not due; for `host` this edits the end of the access token in your own login file'
complete -c coffer -n "__fish_coffer_using_subcommand refresh" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand refresh" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand refresh" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand refresh" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand lab" -l rounds -d 'Rounds of the race' -r
complete -c coffer -n "__fish_coffer_using_subcommand lab" -l sandboxes -d 'Sandboxes that start at once in the race' -r
complete -c coffer -n "__fish_coffer_using_subcommand lab" -l only -d 'Only lines of the race whose version and way contain this, for example `2.1.330 coffer`' -r
complete -c coffer -n "__fish_coffer_using_subcommand lab" -l claude -d 'The genuine agent to experiment with, instead of the one on the PATH' -r -F
complete -c coffer -n "__fish_coffer_using_subcommand lab" -l out -d 'Also write the results as a page (Markdown)' -r -F
complete -c coffer -n "__fish_coffer_using_subcommand lab" -l inside -d 'We are in the private network already, and this is our own program' -r -F
complete -c coffer -n "__fish_coffer_using_subcommand lab" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand lab" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand lab" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand lab" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand lab" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l profile -d 'Add a profile' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l agent -d 'The agent to run' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l account -d 'The account whose login is used' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l auth -d 'How the run gets to be signed in: lease, gateway, shared, none' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l state -d 'Where the agent\'s own files live: project, shared, copy, fresh' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l network -d 'What it can talk to: full, learn, dev, agent, none' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l allow-write -d 'Let it write a path of the project that the host runs later (git hooks, editor tasks, the agent\'s own settings)' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l allow -d 'Let it reach a host; `*.NAME` is every name below NAME, and the port is 443 unless said' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l forward -d 'Show it a service of this machine, at the same port or path' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l publish -d 'Show one of its ports on this machine\'s loopback' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l mount -d 'Show a path of the host inside; read-only unless `:rw`' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l env -d 'Pass a variable of the host, or set one' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l workdir -d 'The working folder inside' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l backend -d 'What makes the sandbox: bwrap, podman, docker' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l image -d 'The image of a container (`--backend podman` or `docker`); nothing is pulled' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l memory -d 'How much memory it may use, swap included: `8G`; or `none` for no limit' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l pids -d 'How many processes and threads it may have at once; or `none`' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l cpus -d 'How many processors\' time it may use: `1.5`; or `none`' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l ssh-agent -d 'Let it sign with keys of your SSH agent: all of them, or those with this comment (`*` stands for anything) or SHA256 fingerprint' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l gpg-agent -d 'Let it sign with your GnuPG keys: all of them, or those with this fingerprint, key id, keygrip or address' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l kind -d 'Test this kind of credential, instead of those that you have' -r -f -a "subscription\t'A subscription that is signed in'
setup-token\t'A long-lived token for a subscription'
api-key\t'An API key'
auth-token\t'A bearer token'
helper\t'A program that prints a key'
cloud\t'A cloud provider\'s own sign-in'"
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l seed -d 'What the canaries are made from, 32 hexadecimal digits: whoever plants a leak has to know them' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l inside -d 'We are in the private network already, and this is the folder of the test' -r
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l unattended -d 'Let the agent skip its own permission questions'
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l keep -d 'Merge the working copy of `--state copy` back at the end'
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l accept-config -d 'Let every change of git\'s configuration reach the host at the end, not the harmless ones alone'
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l as-root-inside -d 'Be uid 0 inside (in a user namespace without capabilities)'
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l allow-host-login -d 'Let `--auth shared` share your own login'
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l allow-nesting -d 'Let sandboxes be made inside: namespaces and mounts; Landlock closes no files then'
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l gpg-agent-decrypt -d 'Let it decrypt with the keys of `--gpg-agent`, too'
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l confirm-keys -d 'Ask you (by `ssh-askpass`) each time before a key is used'
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l allow-container-engine -d 'Let `--forward` or `--mount` show it a container engine: it is root on this machine then'
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand leaktest" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand serve" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand serve" -l unit -d 'Print a systemd user unit that runs it, and nothing else'
complete -c coffer -n "__fish_coffer_using_subcommand serve" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand serve" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand image; and not __fish_seen_subcommand_from build list" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand image; and not __fish_seen_subcommand_from build list" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand image; and not __fish_seen_subcommand_from build list" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand image; and not __fish_seen_subcommand_from build list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand image; and not __fish_seen_subcommand_from build list" -f -a "build" -d 'Build an image with the agent, git, ripgrep and a development environment'
complete -c coffer -n "__fish_coffer_using_subcommand image; and not __fish_seen_subcommand_from build list" -f -a "list" -d 'List the images that were built'
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from build" -l tool -d 'A development environment to put in; may be said again' -r
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from build" -l base -d 'The image to build on: Debian, Alpine, or one that derives from them' -r
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from build" -l agent -d 'The agent' -r
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from build" -l agent-version -d 'Its version, instead of the one that was tried' -r
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from build" -l name -d 'What to call it, instead of localhost/coffer-AGENT and the tools' -r
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from build" -l backend -d 'Who builds it; the one that is there unless said' -r -f -a "podman\t'Podman'
docker\t'Docker'"
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from build" -l npmrc -d 'npm\'s configuration, where a registry of your own stands; it gets into no layer' -r
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from build" -l ca-file -d 'Certificates of authorities to trust while something is fetched; they get into no layer' -r
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from build" -l network -d 'Fetch by this machine\'s own network, for a registry or a proxy on its loopback; by the engine\'s unless said' -r -f -a "host\t'This machine\'s'"
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from build" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from build" -l print -d 'Print the file that builds it, and build nothing'
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from build" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from build" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from build" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from list" -l backend -d 'Whose; the one that is there unless said' -r -f -a "podman\t'Podman'
docker\t'Docker'"
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from list" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from list" -l json -d 'As one JSON document'
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand image; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand gateway; and not __fish_seen_subcommand_from token" -l listen -d 'Where to listen; without it on the socket that systemd hands over, or else on the usual one' -r
complete -c coffer -n "__fish_coffer_using_subcommand gateway; and not __fish_seen_subcommand_from token" -l unit -d 'Print the systemd user units that run it, or one of them, and nothing else' -r -f -a "socket\t'The socket, by which the service is started when it is first used'
service\t'The service'"
complete -c coffer -n "__fish_coffer_using_subcommand gateway; and not __fish_seen_subcommand_from token" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand gateway; and not __fish_seen_subcommand_from token" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand gateway; and not __fish_seen_subcommand_from token" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand gateway; and not __fish_seen_subcommand_from token" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand gateway; and not __fish_seen_subcommand_from token" -f -a "token" -d 'Who may use it'
complete -c coffer -n "__fish_coffer_using_subcommand gateway; and __fish_seen_subcommand_from token" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand gateway; and __fish_seen_subcommand_from token" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand gateway; and __fish_seen_subcommand_from token" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand gateway; and __fish_seen_subcommand_from token" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand gateway; and __fish_seen_subcommand_from token" -f -a "create" -d 'Make one, and print it this once; what to set with it goes to stderr'
complete -c coffer -n "__fish_coffer_using_subcommand gateway; and __fish_seen_subcommand_from token" -f -a "list" -d 'List them'
complete -c coffer -n "__fish_coffer_using_subcommand gateway; and __fish_seen_subcommand_from token" -f -a "revoke" -d 'Take one away; it counts for nothing from the next request on, and its tunnels end'
complete -c coffer -n "__fish_coffer_using_subcommand version" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand version" -l json -d 'Print it as JSON'
complete -c coffer -n "__fish_coffer_using_subcommand version" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand version" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand version" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand gateway-of-run" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand gateway-of-run" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand gateway-of-run" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand gateway-of-run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand key-agents-of-run" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand key-agents-of-run" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand key-agents-of-run" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand key-agents-of-run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c coffer -n "__fish_coffer_using_subcommand exec-launch" -l color -d 'When to use colours' -r -f -a "auto\t'On terminals, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c coffer -n "__fish_coffer_using_subcommand exec-launch" -s q -l quiet -d 'Print nothing but data and errors'
complete -c coffer -n "__fish_coffer_using_subcommand exec-launch" -s v -l verbose -d 'Print more: the exact command of a run after its audit'
complete -c coffer -n "__fish_coffer_using_subcommand exec-launch" -s h -l help -d 'Print help (see more with \'--help\')'
