# Completion of rpproxy for fish. The program itself says what can follow (rpproxy --complete).
function __rpproxy_complete
    set -l words (commandline -opc) (commandline -ct)
    for candidate in ($words[1] --complete $words[2..-1] 2>/dev/null)
        if test "$candidate" = @file
            __fish_complete_path (commandline -ct)
        else
            echo $candidate
        end
    end
end
complete -c rpproxy -f -a '(__rpproxy_complete)'
