# Completion of rpproxy for bash. The program itself says what can follow (rpproxy --complete).
_rpproxy()
{
    local line words current cut candidate
    COMPREPLY=()
    # COMP_WORDS is of no use: bash splits words at '=' and ':' there.
    line=${COMP_LINE:0:COMP_POINT}
    read -ra words <<<"$line"
    [[ $line != *[[:space:]] ]] || words+=('')
    current=${words[-1]}
    # Of the current word bash replaces only what stands after the last '=' or ':'.
    cut=${current%"${current##*[=:]}"}
    while IFS= read -r candidate; do
        if [[ $candidate == @file ]]; then
            compopt -o filenames
            while IFS= read -r candidate; do
                COMPREPLY+=("$candidate")
            done < <(compgen -f -- "$current")
            return
        fi
        [[ $candidate != *= ]] || compopt -o nospace
        COMPREPLY+=("${candidate#"$cut"}")
    done < <("${words[0]/#\~/$HOME}" --complete "${words[@]:1}" 2>/dev/null)
}
complete -F _rpproxy rpproxy
