// The language of system files as a PEGTL grammar: what may stand where, and what is said where it does not.
//
//   file        = front matter?  system  end
//   system      = "system" NAME block
//   block       = "{" entries "}"
//   entry       = "return" EXPRESSION  |  HEAD ":" value  |  HEAD block  |  HEAD
//   HEAD        = words, strings, numbers, (...) and lists of one line:  fact is_slow(t: TraceItem.Performance)
//   value       = single, or several joined by "|" (one of them), "+" (together) or "=" (a type and what it begins with)
//   single      = string | number | word | word "(" ... ")" | word "[" ... "]" | "[" values "]" | "{" entries "}"
//
// Entries and values are separated by blanks, new lines, commas or semicolons. The grammar knows nothing of sections: a
// design space and one that was never heard of are both an entry with a block, so nothing is lost on reading. system.hpp
// says what the sections mean.
#pragma once

#include <tao/pegtl.hpp>

namespace ladder::spak::grammar {

using namespace tao::pegtl;

// ---- between things ----
struct comment : seq<two<'/'>, until<at<eolf>>> {};
struct blanks : star<blank> {};  ///< within a line
struct gap : star<sor<one<' ', '\t', '\r', '\n'>, comment>> {};
struct separators : star<sor<one<' ', '\t', '\r', '\n', ',', ';'>, comment>> {};

// ---- words, numbers, strings ----
// Any byte beyond ASCII belongs to a word, so names may be written in any script.
struct word_start : sor<alpha, one<'_'>, range<'\x80', '\xff'>> {};
struct word_rest : sor<alnum, one<'_', '-'>, range<'\x80', '\xff'>> {};
/// tile_m, tool.write, extraction-date, and what begins with a digit and is no number: 2026-02-13, 5.2ms, 1_Sanity
struct word : seq<sor<word_start, digit>, star<sor<word_rest, seq<one<'.'>, at<word_rest>>>>> {};
struct digits : plus<digit> {};
struct exponent : seq<one<'e', 'E'>, opt<one<'+', '-'>>, digits> {};
struct number : seq<opt<one<'-', '+'>>, sor<seq<digits, opt<one<'.'>, star<digit>>>, seq<one<'.'>, digits>>,
                    opt<exponent>, not_at<sor<word_rest, one<'.'>>>> {};

struct triple_mark : string<'"', '"', '"'> {};
struct triple_end : triple_mark {};
struct in_triple : any {};
struct triple : seq<triple_mark, until<triple_end, must<in_triple>>> {};
struct escaped : seq<one<'\\'>, not_at<one<'\n', '\r'>>, any> {};
struct double_end : one<'"'> {};
struct single_end : one<'\''> {};
struct double_quoted : seq<one<'"'>, star<sor<escaped, not_one<'"', '\\', '\n'>>>, must<double_end>> {};
struct single_quoted : seq<one<'\''>, star<sor<escaped, not_one<'\'', '\\', '\n'>>>, must<single_end>> {};
struct text : sor<triple, double_quoted, single_quoted> {};

// ---- values ----
struct value;
struct entries;
struct close_list : one<']'> {};
struct close_block : one<'}'> {};
struct close_arguments : one<')'> {};
struct list : seq<one<'['>, separators, star<value, separators>, must<close_list>> {};
struct block : seq<one<'{'>, entries, must<close_block>> {};
/// What stands in parentheses behind a word, in a head or in a value, as it is.
struct raw_inner;
struct raw_text : sor<double_quoted, raw_inner, not_one<'(', ')', '"', '\n'>> {};
struct raw_inner : seq<one<'('>, star<raw_text>, must<close_arguments>> {};
struct raw_arguments : seq<raw_inner> {};
struct call : seq<word, sor<raw_arguments, list>> {};
struct single : sor<text, number, call, word, list, block> {};
struct joint : one<'|', '+', '='> {};
struct joined : must<single> {};
struct value : seq<single, star<gap, joint, gap, joined>> {};

// ---- expressions: what stands behind `return`, and in strings that are conditions ----
struct expression;
struct space_between : gap {};
struct name_start : sor<alpha, one<'_'>, range<'\x80', '\xff'>> {};
struct name_rest : sor<alnum, one<'_'>, range<'\x80', '\xff'>> {};
struct field_mark : one<'.'> {};
struct simple_name : seq<name_start, star<name_rest>> {};
struct name : seq<simple_name, star<field_mark, simple_name>> {};
struct count : seq<sor<seq<digits, opt<one<'.'>, star<digit>>>, seq<one<'.'>, digits>>, opt<exponent>,
                   not_at<name_rest>> {};
struct close_group : one<')'> {};
struct operand : must<expression> {};
struct group : seq<one<'('>, gap, operand, gap, must<close_group>> {};
struct argument_list
    : seq<one<'('>, gap, opt<expression, star<gap, one<','>, gap, operand>>, gap, must<close_group>> {};
struct application : seq<name, argument_list> {};
struct atom : sor<group, text, count, application, name> {};
struct minus : one<'-'> {};
struct negation : seq<one<'!'>, not_at<one<'='>>> {};
struct unary;
struct unary_operand : must<unary> {};
struct unary : sor<seq<sor<minus, negation>, gap, unary_operand>, atom> {};
struct times : one<'*', '/', '%'> {};
struct product : seq<unary, star<gap, times, gap, unary_operand>> {};
struct plus_minus : one<'+', '-'> {};
struct product_operand : must<product> {};
struct sum : seq<product, star<gap, plus_minus, gap, product_operand>> {};
struct relation : sor<TAO_PEGTL_STRING("<="), TAO_PEGTL_STRING(">="), TAO_PEGTL_STRING("=="),
                      TAO_PEGTL_STRING("!="), one<'<', '>'>> {};
struct sum_operand : must<sum> {};
struct comparison : seq<sum, opt<gap, relation, gap, sum_operand>> {};
struct both : two<'&'> {};
struct comparison_operand : must<comparison> {};
struct conjunction : seq<comparison, star<gap, both, gap, comparison_operand>> {};
struct either : two<'|'> {};
struct conjunction_operand : must<conjunction> {};
struct disjunction : seq<conjunction, star<gap, either, gap, conjunction_operand>> {};
struct if_word : seq<string<'i', 'f'>, not_at<name_rest>> {};
struct else_word : seq<string<'e', 'l', 's', 'e'>, not_at<name_rest>> {};
struct choice_operand : must<disjunction> {};
/// `5 if causal else 4`
struct expression
    : seq<disjunction, opt<gap, if_word, gap, choice_operand, gap, must<else_word>, gap, operand>> {};

// ---- entries ----
struct return_word : seq<string<'r', 'e', 't', 'u', 'r', 'n'>, not_at<word_rest>> {};
struct returned : must<expression> {};
struct return_entry : seq<return_word, blanks, returned> {};
/// A word of a head, with what stands in parentheses right behind it as its own part: fact slow(t: TraceItem.Memory)
struct head_part : sor<text, number, word, raw_arguments, list> {};
struct head : seq<head_part, star<blanks, head_part>> {};
struct needed_value : must<value> {};
struct plain_entry : seq<head, opt<sor<seq<blanks, one<':'>, gap, needed_value>, seq<gap, block>>>> {};
struct entry : sor<return_entry, plain_entry> {};
struct entries : seq<separators, star<entry, separators>> {};

// ---- the file ----
struct bom : opt<string<'\xef', '\xbb', '\xbf'>> {};
struct dashes : seq<rep<3, one<'-'>>, blanks, at<eolf>, opt<eol>> {};
struct front_key : word {};
struct front_rest : until<at<eolf>> {};
struct front_comment : seq<blanks, one<'#'>, until<at<eolf>>> {};
struct front_colon : one<':'> {};
struct front_entry : seq<front_key, blanks, must<front_colon>, blanks, front_rest> {};
struct front_line : sor<front_comment, seq<blanks, opt<front_entry>>> {};
struct front_end : dashes {};
struct front_line_end : eol {};
struct front_matter : seq<dashes, until<front_end, front_line, must<front_line_end>>> {};
struct system_word : seq<string<'s', 'y', 's', 't', 'e', 'm'>, not_at<word_rest>> {};
struct system_name : sor<text, word> {};
struct system_block : must<block> {};
struct system : seq<must<system_word>, blanks, must<system_name>, gap, system_block> {};
struct end_of_file : eof {};
struct file : seq<bom, gap, opt<front_matter>, gap, must<system>, gap, must<end_of_file>> {};

/// What a text begins with: tile_m = 64, tile_n = 64 as initial guess
struct assignment : seq<name, gap, one<'='>, not_at<one<'='>>, gap, expression> {};
struct assignments : seq<gap, opt<assignment, star<gap, one<','>, gap, assignment>>> {};

/// A whole string as one expression.
struct whole_expression : seq<gap, must<expression>, gap, must<end_of_file>> {};

}  // namespace ladder::spak::grammar
