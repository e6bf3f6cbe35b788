// What is the same for every operation, written once: a list of argument structs, and classes made from such a list.
#pragma once

namespace ladder {

/// A list of types, as a type.
template <class... Args>
struct TypeList {};

template <class First, class Second>
struct JoinedLists;
template <class... A, class... B>
struct JoinedLists<TypeList<A...>, TypeList<B...>> {
  using type = TypeList<A..., B...>;
};
/// The types of both lists, in order.
template <class First, class Second>
using Joined = typename JoinedLists<First, Second>::type;

/// A pure virtual run(args) for each type of the list.
template <class List>
class Runs;
template <class Last>
class Runs<TypeList<Last>> {
 public:
  virtual void run(const Last& args) = 0;
};
template <class First, class... Rest>
class Runs<TypeList<First, Rest...>> : public Runs<TypeList<Rest...>> {
 public:
  using Runs<TypeList<Rest...>>::run;
  virtual void run(const First& args) = 0;
};

/// `Base`, whose run(args) of every listed type calls Derived::pass(args): for a class that treats all of them alike.
template <class Derived, class Base, class List>
class PassesOn;
template <class Derived, class Base>
class PassesOn<Derived, Base, TypeList<>> : public Base {
 public:
  using Base::Base;
  using Base::run;
};
template <class Derived, class Base, class First, class... Rest>
class PassesOn<Derived, Base, TypeList<First, Rest...>> : public PassesOn<Derived, Base, TypeList<Rest...>> {
  using Next = PassesOn<Derived, Base, TypeList<Rest...>>;

 public:
  using Next::Next;
  using Next::run;
  void run(const First& args) override { static_cast<Derived*>(this)->pass(args); }
};

}  // namespace ladder
